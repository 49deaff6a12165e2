-- The batch oracle of the phenotype labels: plain SQL over FHIR resources as jsonb, written from the meaning of the
-- definitions (DESIGN.md, Time and truth), without any code of the transform. Times are timestamps in UTC.
create table resource (person text, type text, id text, version numeric, body jsonb);
create table dicom_study (person text, uid text, version numeric, accession text, issuer text,
  modalities text[], body_parts text[], first timestamp, last timestamp);
-- Which issuers of accession numbers mean the same one.
create table issuer (issuer text primary key, namespace text);
-- A person's feeds: `<source>/<type>` or `<source>/*`, complete through.
create table feed (name text, through timestamp);
-- The day to which the calendar has come.
create table today (now timestamp);

create table phenotype (name text primary key, combine text, modality text[], body_part text[], feeds text[], horizon interval);
create table leaf (phenotype text, leaf int, negated boolean, kind text, win_from interval, win_to interval,
  same_encounter boolean, needed int, at_least numeric, at_most numeric, unit text, category text[], by_study boolean);
create table leaf_code (phenotype text, leaf int, system text, code text, prefix boolean);
-- value in `target` = value in `unit` * factor, and of mass and amount of substance by the leaf's molar mass.
create table unit_factor (phenotype text, unit text, target text, factor numeric);

-- First and last millisecond that a FHIR date, dateTime or instant may mean; one to the second is its first alone.
create function fhir_first(t text) returns timestamp language sql immutable as $$
  select case
    when t ~ '^\d{4}$' and pg_input_is_valid(t || '-01-01', 'timestamp') then (t || '-01-01')::timestamp
    when t ~ '^\d{4}-\d\d$' and pg_input_is_valid(t || '-01', 'timestamp') then (t || '-01')::timestamp
    when t ~ '^\d{4}-\d\d-\d\d' and not pg_input_is_valid(t, 'timestamptz') then null
    when t ~ '^\d{4}-\d\d-\d\d$' then t::timestamp
    when t ~ '^\d{4}-\d\d-\d\dT' and t ~ '(Z|[+-]\d\d:\d\d)$' then date_trunc('milliseconds', t::timestamptz at time zone 'UTC')
    when t ~ '^\d{4}-\d\d-\d\dT' then date_trunc('milliseconds', t::timestamp) end $$;
create function fhir_last(t text) returns timestamp language sql immutable as $$
  select case
    when t ~ '^\d{4}$' then fhir_first(t) + interval '1 year' - interval '1 ms'
    when t ~ '^\d{4}-\d\d$' then fhir_first(t) + interval '1 month' - interval '1 ms'
    when t ~ '^\d{4}-\d\d-\d\d$' then fhir_first(t) + interval '1 day' - interval '1 ms'
    when t ~ 'T\d\d:\d\d(Z|[+-]\d\d:\d\d)?$' then fhir_first(t) + interval '1 minute' - interval '1 ms'
    else fhir_first(t) end $$;
create function ref_id(t text) returns text language sql immutable as $$
  select case when t like 'urn:%' then regexp_replace(t, '^.*:', '')
              else (regexp_match(t, '(?:^|/)[A-Z][A-Za-z]+/([A-Za-z0-9.-]{1,64})(?:/_history/[^/]+)?$'))[1] end $$;
create function namespace_of(i text) returns text language sql stable as $$
  select coalesce((select namespace from issuer where issuer = i), i) $$;
create function verification(body jsonb) returns text[] language sql immutable as $$
  select array(select jsonb_path_query(body, '$.verificationStatus.coding[*].code') #>> '{}') $$;
-- References of a report or observation that may name a study.
create function named(body jsonb) returns setof jsonb language sql immutable as $$
  select jsonb_path_query(body, '$.imagingStudy[*]') union all select jsonb_path_query(body, '$.derivedFrom[*]')
  union all select jsonb_path_query(body, '$.partOf[*]') $$;
-- When a fact was: the first element that can be read; a fact is somewhere in a period, whose open ends are unbounded.
create function fhir_span(body jsonb, elements text[]) returns table (first timestamp, last timestamp) language sql immutable as $$
  select f, l from unnest(elements) with ordinality e(element, place)
  cross join lateral (select
    case when element like '%Period' then case when coalesce(fhir_first(body->element->>'start'), fhir_last(body->element->>'end')) is not null
           then coalesce(fhir_first(body->element->>'start'), '-infinity') end
         else fhir_first(body->>element) end as f,
    case when element like '%Period' then coalesce(fhir_last(body->element->>'end'), 'infinity') else fhir_last(body->>element) end as l) t
  where f <= l order by place limit 1 $$;
create function first_readable(variadic texts text[]) returns timestamp language sql immutable as $$
  select fhir_first(t) from unnest(texts) with ordinality x(t, place) where fhir_first(t) is not null order by place limit 1 $$;
