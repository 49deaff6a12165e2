-- One row for each study and phenotype that means it: value, reason, rung, candidates, evidence (`type/id:role`, sorted).
with
-- The newest version of each resource; entered in error, cancelled or never happened: not there.
newest as materialized (
  select distinct on (person, type, id) * from resource order by person, type, id, version desc),
alive as materialized (
  select * from newest
  where coalesce(body->>'status', '') not in
      ('entered-in-error','cancelled','not-done','planned','proposed','draft','booked','pending','waitlist')
    and not 'entered-in-error' = any (verification(body))),

-- Studies: a UID is one study, however many sources tell of it.
imaging as (
  select person, id, body,
    (select regexp_replace(i->>'value', '^urn:oid:', '') from jsonb_array_elements(body->'identifier') i
     where i->>'system' in ('urn:dicom:uid', 'urn:ietf:rfc:3986')
       and (i->>'value' like 'urn:oid:%' or i->>'system' = 'urn:dicom:uid') limit 1) as uid,
    fhir_first(body->>'started') as first, fhir_last(body->>'started') as last,
    ref_id(body#>>'{encounter,reference}') as encounter,
    array(select upper(x#>>'{}') from jsonb_path_query(body, '$.series[*].modality.code') x
          union select upper(x#>>'{}') from jsonb_path_query(body, '$.modality[*].code') x) as modalities,
    array(select upper(x#>>'{}') from jsonb_path_query(body, '$.series[*].bodySite.code') x
          union select upper(x#>>'{}') from jsonb_path_query(body, '$.series[*].bodySite.display') x) as body_parts,
    array(select namespace_of(coalesce(i->>'system', '')) || '|' || (i->>'value') from jsonb_array_elements(body->'identifier') i
          where i @> '{"type":{"coding":[{"code":"ACSN"}]}}') as accessions
  from alive where type = 'ImagingStudy'),
newest_dicom as (select distinct on (person, uid) * from dicom_study order by person, uid, version desc),
told as (
  select person, uid, 1 as priority, 'Study/' || uid as name, null as imaging_id, first, last, null as encounter,
    modalities, body_parts,
    case when accession = '' then '{}' else array[namespace_of(issuer) || '|' || accession] end as accessions
  from newest_dicom
  union all
  select person, uid, 2, 'ImagingStudy/' || id, id, first, last, encounter, modalities, body_parts, accessions
  from imaging where uid is not null),
started as (
  select distinct on (person, uid) person, uid, first, last from told
  order by person, uid, first is null, priority, last - first, first),
study as materialized (
  select s.person, s.uid, s.first, s.last,
    array(select encounter from told t where (t.person, t.uid) = (s.person, s.uid) and encounter is not null) as encounters,
    array(select imaging_id from told t where (t.person, t.uid) = (s.person, s.uid) and imaging_id is not null) as imaging_ids,
    array(select unnest(accessions) from told t where (t.person, t.uid) = (s.person, s.uid)) as accessions,
    array(select unnest(modalities) from told t where (t.person, t.uid) = (s.person, s.uid)) as modalities,
    array(select unnest(body_parts) from told t where (t.person, t.uid) = (s.person, s.uid)) as body_parts,
    array(select name || ':subject' from told t where (t.person, t.uid) = (s.person, s.uid)) as evidence
  from started s),
ordered as materialized (
  select person, id as request, namespace_of(coalesce(i->>'system', '')) || '|' || (i->>'value') as accession
  from alive, jsonb_array_elements(body->'identifier') i
  where type = 'ServiceRequest' and i @> '{"type":{"coding":[{"code":"ACSN"}]}}'),

-- Coded facts: a resource, or a component of one.
part as (
  select person, type, id, body, 0 as part, body as holder from alive where type in ('Observation','Condition','DiagnosticReport')
  union all
  select person, type, id, body, c.ord::int, c.item from alive, jsonb_array_elements(body->'component') with ordinality c(item, ord)
  where type = 'Observation'),
coding as (
  select person, type, id, part, c->>'system' as system, c->>'code' as code
  from part, jsonb_array_elements(holder#>'{code,coding}') c
  union all
  select person, type, id, 0, c->>'system', c->>'code' from part, jsonb_path_query(body, '$.conclusionCode[*].coding[*]') c
  where type = 'DiagnosticReport'),
meant as (
  select distinct l.phenotype, l.leaf, c.person, c.type, c.id, c.part
  from leaf l join leaf_code k using (phenotype, leaf)
  join coding c on c.type = l.kind and coalesce(c.system, '') = k.system
    and (c.code = k.code or k.prefix and starts_with(c.code, k.code))),
fact as materialized (
  select m.*, p.body, p.holder, l.negated, l.win_from, l.win_to, l.same_encounter, l.by_study,
    t.first, t.last,
    ref_id(body#>>'{encounter,reference}') as encounter,
    array(select ref_id(r#>>'{}') from jsonb_path_query(body, '$.basedOn[*].reference') r) as requests,
    array(select ref_id(r->>'reference') from named(body) r
          where r->>'reference' like 'urn:%' and coalesce(r->>'type', 'ImagingStudy') = 'ImagingStudy'
             or r->>'reference' ~ '(^|/)ImagingStudy/') as imaging_ids,
    array(select regexp_replace(r#>>'{identifier,value}', '^urn:oid:', '')
          from named(body) r
          where r#>>'{identifier,system}' in ('urn:dicom:uid', 'urn:ietf:rfc:3986')) as uids,
    array(select namespace_of(coalesce(i->>'system', '')) || '|' || (i->>'value') from jsonb_path_query(body, '$.identifier[*]') i
          where i @> '{"type":{"coding":[{"code":"ACSN"}]}}') as accessions,
    case when m.type <> 'Condition'
         then case when body->>'status' in ('final','amended','corrected','appended') then 'yes' else 'not-final' end
         when 'refuted' = any (verification(body)) then 'no'
         when 'confirmed' = any (verification(body)) then 'yes' else 'not-confirmed' end as status,
    case when l.at_least is null and l.at_most is null then 'pass'
         when not holder #> '{valueQuantity}' ? 'value' or not holder ? 'valueQuantity' then 'value-missing'
         when holder#>>'{valueQuantity,system}' is distinct from 'http://unitsofmeasure.org'
           or holder#>>'{valueQuantity,code}' is null then 'unit-missing'
         when u.factor is null then 'incommensurable'
         when holder->'valueQuantity' ? 'comparator' then
           case when holder#>>'{valueQuantity,comparator}' in ('>','>=') and q.amount >= l.at_least and l.at_most is null then 'pass'
                when holder#>>'{valueQuantity,comparator}' = '<' and q.amount <= l.at_least then 'fail'
                when holder#>>'{valueQuantity,comparator}' = '<=' and q.amount < l.at_least then 'fail'
                when holder#>>'{valueQuantity,comparator}' in ('<','<=') and l.at_least is null and q.amount <= l.at_most then 'pass'
                when holder#>>'{valueQuantity,comparator}' = '>' and q.amount >= l.at_most then 'fail'
                when holder#>>'{valueQuantity,comparator}' = '>=' and q.amount > l.at_most then 'fail'
                else 'comparator-open' end
         when q.amount >= coalesce(l.at_least, q.amount) and q.amount <= coalesce(l.at_most, q.amount) then 'pass'
         else 'fail' end as verdict,
    exists (select from jsonb_path_query(body, '$.category[*].coding[*].code') c where c#>>'{}' = any (l.category)) as in_category,
    l.category is not null as has_category
  from meant m join part p using (person, type, id, part) join leaf l using (phenotype, leaf)
  left join lateral fhir_span(body, case m.type
    when 'Condition' then '{onsetDateTime,onsetPeriod,recordedDate}'::text[]
    when 'DiagnosticReport' then '{effectiveDateTime,effectivePeriod,issued}'
    else '{effectiveDateTime,effectiveInstant,effectivePeriod,issued}' end) t on true
  left join unit_factor u on u.phenotype = l.phenotype and u.unit = holder#>>'{valueQuantity,code}' and u.target = l.unit
  cross join lateral (select round((holder#>>'{valueQuantity,value}')::numeric * u.factor, 9) as amount) q),

-- The ladder: every study of the person against every fact of the leaf.
tie as materialized (
  select f.phenotype, f.leaf, f.person, f.id, f.part, f.by_study, s.uid, t.rung, t.fit,
    case when s.first is null and t.rung = 1 then false
         when f.same_encounter and not coalesce(f.encounter = any (s.encounters), false) then false
         else t.fit <> 'out' end as tied,
    cardinality(f.uids) > 0 and t.rung < 3 as names_unknown
  from fact f join study s using (person)
  cross join lateral (select
    case when s.uid = any (f.uids) or s.imaging_ids && f.imaging_ids then 4
         when s.accessions && f.accessions or exists (select from ordered o where o.person = f.person
              and o.request = any (f.requests) and o.accession = any (s.accessions)) then 3
         when f.encounter = any (s.encounters) then 2 else 1 end as rung,
    case when f.win_from is null then 'in'
         when s.first is null or f.first is null then 'maybe'
         when f.last < s.first + f.win_from or f.first > s.last + f.win_to then 'out'
         when f.first >= s.last + f.win_from and f.last <= s.first + f.win_to then 'in' else 'maybe' end as fit) t
  where not f.has_category or f.in_category),
matched as (
  select t.*, (select count(*) from tie o where (o.phenotype, o.leaf, o.person, o.id, o.part) =
      (t.phenotype, t.leaf, t.person, t.id, t.part) and o.tied and o.rung >= t.rung) as candidates
  from tie t
  where t.tied and not t.names_unknown
    and not (t.rung < 3 and exists (select from tie o where (o.phenotype, o.leaf, o.person, o.id, o.part) =
      (t.phenotype, t.leaf, t.person, t.id, t.part) and o.uid <> t.uid and o.rung >= 3))
    and not (t.by_study and exists (select from tie o where (o.phenotype, o.leaf, o.person, o.id, o.part) =
      (t.phenotype, t.leaf, t.person, t.id, t.part) and o.tied and o.rung > t.rung))),
vote as materialized (
  select m.phenotype, m.leaf, m.person, m.uid, m.rung, m.candidates, f.type || '/' || f.id as name, f.negated,
    case when f.verdict not in ('pass', 'fail') then 'unknown'
         when f.status like 'not-%' then 'maybe'
         when m.fit = 'maybe' then case when f.verdict = 'fail' or f.status = 'no' then null else 'maybe' end
         when f.verdict = 'fail' or f.status = 'no' then 'no' else 'yes' end as says,
    case when f.verdict not in ('pass', 'fail') then f.verdict
         when f.status like 'not-%' then f.status else 'time-undecided' end as why
  from matched m join fact f using (phenotype, leaf, person, id, part)),

-- When a negative may be said.
event as materialized (
  select person, case type
    when 'Encounter' then first_readable(body#>>'{period,end}', body#>>'{period,start}')
    when 'Condition' then first_readable(body->>'recordedDate', body->>'onsetDateTime', body#>>'{onsetPeriod,start}')
    when 'AllergyIntolerance' then fhir_first(body->>'recordedDate')
    when 'ImagingStudy' then fhir_first(body->>'started')
    when 'Immunization' then fhir_first(body->>'occurrenceDateTime')
    when 'MedicationRequest' then fhir_first(body->>'authoredOn')
    when 'ServiceRequest' then fhir_first(body->>'authoredOn')
    when 'Specimen' then first_readable(body#>>'{collection,collectedDateTime}', body#>>'{collection,collectedPeriod,start}', body->>'receivedTime')
    when 'Procedure' then first_readable(body->>'performedDateTime', body#>>'{performedPeriod,start}')
    when 'Observation' then first_readable(body->>'effectiveDateTime', body->>'effectiveInstant', body#>>'{effectivePeriod,start}', body->>'issued')
    when 'DiagnosticReport' then first_readable(body->>'effectiveDateTime', body#>>'{effectivePeriod,start}', body->>'issued')
    when 'MedicationAdministration' then first_readable(body->>'effectiveDateTime', body#>>'{effectivePeriod,start}')
    end as time
  from alive union all select person, first from newest_dicom),
seen as (select person, max(time) as last_seen from event group by person),
visit as materialized (select person, id, fhir_last(body#>>'{period,end}') as ended from alive where type = 'Encounter'),
labelled as (
  select p.name as phenotype, p.combine, p.feeds, p.horizon, s.*
  from phenotype p join study s on (p.modality = '{}' or p.modality && s.modalities) and (p.body_part = '{}' or p.body_part && s.body_parts)),
gate as (
  select l.phenotype, l.leaf, x.person, x.uid, l.negated, l.needed, l.kind, l.win_to is not null and x.first is null as timeless,
    case when l.same_encounter and x.encounters = '{}' then 'encounter-unknown'
         when e.ended is null then 'window-open'
         when (select now from today) <= greatest(e.ended, coalesce(x.last, e.ended) + x.horizon) then 'window-open'
         when exists (select from unnest(x.feeds) t where coalesce((select min(through) from feed
              where name like '%/' || t or name like '%/*'), '-infinity') <= e.ended) then 'feed-incomplete'
         when l.win_to is not null and not coalesce(w.last_seen >= e.ended, false)
           and not exists (select from alive a where a.person = x.person and a.type = 'EpisodeOfCare'
             and fhir_last(a.body#>>'{period,start}') <= e.ended
             and (a.body#>'{period,end}' is null or fhir_first(a.body#>>'{period,end}') >= e.ended)) then 'not-observed'
    end as closed
  from labelled x join leaf l on l.phenotype = x.phenotype
  left join seen w on w.person = x.person
  cross join lateral (select case when l.win_to is not null then x.last + l.win_to
    when exists (select from unnest(x.encounters) n where not exists
      (select from visit v where v.person = x.person and v.id = n and v.ended is not null)) then null
    else (select max(v.ended) from visit v where v.person = x.person and v.id = any (x.encounters)) end as ended) e),

-- Counting votes.
tally as (
  select g.*,
    count(*) filter (where says = 'yes') as yes, count(*) filter (where says = 'no') as no,
    count(*) filter (where says = 'maybe') as maybe, count(*) filter (where says = 'unknown') as unknown,
    min(why) filter (where says = 'maybe') as why_maybe, min(why) filter (where says = 'unknown') as why_unknown
  from gate g left join vote v on (v.phenotype, v.leaf, v.person, v.uid) = (g.phenotype, g.leaf, g.person, g.uid) and not g.timeless
  group by g.phenotype, g.leaf, g.person, g.uid, g.negated, g.needed, g.kind, g.timeless, g.closed),
decided as (
  select t.*, d.outcome,
    case d.outcome when 'positive' then '{yes}' when 'conflict' then '{yes,no}' when 'uncertain' then '{yes,maybe}'
      when 'unknown' then '{unknown}' when 'negative' then '{no}' else '{}' end::text[] as decisive,
    case d.outcome when 'positive' then '{yes}' when 'conflict' then '{yes,no}' when 'uncertain' then '{yes,maybe}'
      else '{yes,no,maybe,unknown}' end::text[] as shown,
    case d.outcome when 'conflict' then 'uncertain' when 'closed' then 'unknown' when 'none' then 'unknown' else d.outcome end as value,
    case d.outcome when 'positive' then 'met' when 'conflict' then 'conflicting-evidence' when 'uncertain' then why_maybe
      when 'unknown' then why_unknown when 'closed' then case when timeless then 'study-time-unknown' else closed end
      when 'none' then 'no-evidence'
      else case when kind <> 'Observation' and no > 0 then 'refuted' else 'not-met' end end as reason
  from tally t cross join lateral (select case
    when timeless then 'closed'
    when yes >= needed then case when no > 0 and kind <> 'Observation' then 'conflict' else 'positive' end
    when yes + maybe >= needed then 'uncertain'
    when yes + maybe + unknown >= needed then 'unknown'
    when closed is not null then 'closed'
    when kind = 'Observation' and yes + no = 0 then 'none'
    else 'negative' end as outcome) d),
leaf_label as (
  select d.phenotype, d.leaf, d.person, d.uid,
    case when d.negated and d.reason = 'met' then 'not-met' when d.negated and d.reason = 'not-met' then 'met'
      else d.reason end as reason,
    case when d.negated then case d.value when 'positive' then 'negative' when 'negative' then 'positive' else d.value end
      else d.value end as value,
    coalesce(r.rung, 0) as rung,
    coalesce((select max(v.candidates) from vote v where (v.phenotype, v.leaf, v.person, v.uid) = (d.phenotype, d.leaf, d.person, d.uid)
      and v.says = any (d.decisive) and v.rung = r.rung), 0) as candidates,
    array(select v.name || ':' || case when v.says in ('maybe', 'unknown') then 'uncertain'
        when (v.says = 'yes') <> d.negated then 'supports' else 'refutes' end
      from vote v where (v.phenotype, v.leaf, v.person, v.uid) = (d.phenotype, d.leaf, d.person, d.uid)
      and v.says = any (d.shown) and not d.timeless) as evidence
  from decided d cross join lateral (select max(v.rung) as rung from vote v
    where (v.phenotype, v.leaf, v.person, v.uid) = (d.phenotype, d.leaf, d.person, d.uid) and v.says = any (d.decisive)) r),

-- Combinations: `all` is negative by any one, `any` positive by any one; then uncertain, then unknown; else all agree.
carried as (
  select distinct on (l.phenotype, l.person, l.uid) l.phenotype, l.person, l.uid, l.value,
    l.value = case x.combine when 'all' then 'positive' when 'any' then 'negative' end as together
  from leaf_label l join labelled x using (phenotype, person, uid)
  order by l.phenotype, l.person, l.uid,
    case when l.value = 'uncertain' then 2 when l.value = 'unknown' then 3
         when l.value = case when x.combine = 'any' then 'positive' else 'negative' end then 1 else 4 end),
carrier as (
  select l.*, c.together,
    first_value(l.reason) over (partition by l.phenotype, l.person, l.uid order by l.leaf) as first_reason
  from leaf_label l join carried c using (phenotype, person, uid, value)),
one as (
  select distinct on (phenotype, person, uid) * from carrier
  order by phenotype, person, uid,
    case when together then case when rung = 0 then 1 else 0 end end,
    case when together then rung else -rung end,
    case when together then -candidates else candidates end, leaf)
select x.person, x.uid, x.phenotype, o.value,
  case when o.together then o.first_reason else o.reason end as reason,
  (array['none','patient-time','encounter','accession','study-uid'])[o.rung + 1] as rung,
  case when o.together then (select max(candidates) from carrier c where (c.phenotype, c.person, c.uid) = (x.phenotype, x.person, x.uid))
    else o.candidates end::int as candidates,
  array(select distinct e collate "C" from (
      select unnest(x.evidence) as e
      union all select unnest(c.evidence) from carrier c where (c.phenotype, c.person, c.uid) = (x.phenotype, x.person, x.uid)) all_evidence
    order by 1) as evidence
from labelled x join one o using (phenotype, person, uid)
order by x.person, x.uid, x.phenotype
