-- The definitions in this folder, as their texts say.
insert into phenotype values
  ('cancer-any', 'any', '{}', '{}', '{Condition,DiagnosticReport}', '60 days'),
  ('creatinine-normal', null, '{CT,MR}', '{CHEST,51185008}', '{Observation}', '0'),
  ('creatinine-twice', null, '{}', '{}', '{Observation}', '0'),
  ('report-here', null, '{}', '{}', '{DiagnosticReport}', '0'),
  ('report-linked', 'all', '{}', '{}', '{DiagnosticReport}', '0');
insert into leaf values
  ('cancer-any', 1, false, 'Condition', '-20 days', '1 month', false, 1, null, null, null, null, false),
  ('cancer-any', 2, false, 'DiagnosticReport', '0', '30 days', false, 1, null, null, null, '{PAT,SP,CP,CG,LP7839-6}', true),
  ('creatinine-normal', 1, false, 'Observation', '-15 days', '12 hours', false, 1, 0.6, 1.2, 'mg/dL', null, false),
  ('creatinine-twice', 1, false, 'Observation', '-1 month', '0', false, 2, 1.5, null, 'mg/dL', null, false),
  ('report-here', 1, true, 'DiagnosticReport', '-5 days', '20 days', true, 1, null, null, null, null, false),
  ('report-linked', 1, false, 'DiagnosticReport', '-5 days', '20 days', false, 1, null, null, null, null, true),
  ('report-linked', 2, false, 'Condition', null, null, true, 1, null, null, null, null, false);
insert into leaf_code values
  ('cancer-any', 1, 'http://hl7.org/fhir/sid/icd-10-cm', 'C34', true),
  ('cancer-any', 2, 'http://snomed.info/sct', '363346000', false),
  ('creatinine-normal', 1, 'http://loinc.org', '2160-0', false),
  ('creatinine-twice', 1, 'http://loinc.org', '2160-0', false),
  ('report-here', 1, 'http://snomed.info/sct', '363346000', false),
  ('report-linked', 1, 'http://snomed.info/sct', '363346000', false),
  ('report-linked', 2, 'http://snomed.info/sct', '363346000', false);
-- Creatinine 113.12 g/mol, declared in creatinine-normal alone.
insert into unit_factor values
  ('creatinine-normal', 'mg/dL', 'mg/dL', 1), ('creatinine-normal', 'mg/L', 'mg/dL', 0.1),
  ('creatinine-normal', 'umol/L', 'mg/dL', 0.011312),
  ('creatinine-twice', 'mg/dL', 'mg/dL', 1), ('creatinine-twice', 'mg/L', 'mg/dL', 0.1);
