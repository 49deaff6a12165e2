-- The example definitions (examples/phenotypes), as their texts say.
insert into phenotype values
  ('fracture-same-encounter', null, '{}', '{}', '{Condition,Encounter}', '0'),
  ('renal-impairment-before', null, '{}', '{}', '{Observation}', '0'),
  ('hyperglycaemia-before', null, '{}', '{}', '{Observation}', '0'),
  ('diagnosis-after', null, '{}', '{}', '{Condition}', '2 years'),
  ('malignancy-after', null, '{CT,MR}', '{}', '{DiagnosticReport}', '90 days'),
  ('traumatic-fracture', 'all', '{DX,CR}', '{}', '{Condition,Encounter}', '0');
insert into leaf values
  ('fracture-same-encounter', 1, false, 'Condition', null, null, true, 1, null, null, null, null, false),
  ('renal-impairment-before', 1, false, 'Observation', '-365 days', '0', false, 1, 1.5, null, 'mg/dL', null, false),
  ('hyperglycaemia-before', 1, false, 'Observation', '-2 years', '0', false, 2, 5.6, null, 'mmol/L', null, false),
  ('diagnosis-after', 1, false, 'Condition', '0', '2 years', false, 1, null, null, null, null, false),
  ('malignancy-after', 1, false, 'DiagnosticReport', '0', '90 days', false, 1, null, null, null, '{PAT,SP,CP,CG,LP7839-6}', true),
  ('traumatic-fracture', 1, false, 'Condition', null, null, true, 1, null, null, null, null, false),
  ('traumatic-fracture', 2, true, 'Condition', '-10 years', '0', false, 1, null, null, null, null, false);
insert into leaf_code
  select 'fracture-same-encounter', 1, 'http://snomed.info/sct', c, false
  from unnest('{16114001,263102004,33737001,359817006,443165006,58150001,65966004}'::text[]) c
  union all select 'traumatic-fracture', 1, 'http://snomed.info/sct', c, false
  from unnest('{16114001,263102004,33737001,359817006,58150001,65966004}'::text[]) c
  union all select 'traumatic-fracture', 2, 'http://snomed.info/sct', c, false from unnest('{64859006,443165006}'::text[]) c
  union all select 'renal-impairment-before', 1, 'http://loinc.org', c, false from unnest('{2160-0,38483-4}'::text[]) c
  union all select 'hyperglycaemia-before', 1, 'http://loinc.org', c, false from unnest('{2339-0,2345-7}'::text[]) c
  union all select 'diagnosis-after', 1, 'http://snomed.info/sct', c, false
  from unnest('{88805009,53741008,64859006,15777000,44054006,271737000,38341003}'::text[]) c
  union all select 'malignancy-after', 1, 'http://snomed.info/sct', c, false from unnest('{363346000,254637007}'::text[]) c
  union all select 'malignancy-after', 1, 'http://hl7.org/fhir/sid/icd-10-cm', 'C', true;
-- Creatinine 113.12 g/mol, glucose 180.156 g/mol.
insert into unit_factor values
  ('renal-impairment-before', 'mg/dL', 'mg/dL', 1), ('renal-impairment-before', 'umol/L', 'mg/dL', 0.011312),
  ('renal-impairment-before', 'mmol/L', 'mg/dL', 11.312), ('renal-impairment-before', 'mg/L', 'mg/dL', 0.1),
  ('hyperglycaemia-before', 'mmol/L', 'mmol/L', 1), ('hyperglycaemia-before', 'mg/dL', 'mmol/L', 10.0 / 180.156),
  ('hyperglycaemia-before', 'g/L', 'mmol/L', 1000.0 / 180.156);
