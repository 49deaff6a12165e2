import { axial, sagittal, coronal, phantom, usual } from "./phantom.ts"
import { planDefacing } from "../../transforms/deface/series.ts"
const cases = { axial, sagittal, coronal }
for (const modality of ["CT","MR"] as const) for (const [name, scan] of Object.entries(cases)) {
  const t0=Date.now()
  const slices = phantom({ ...scan, modality }, usual)
  const t1=Date.now()
  const members = slices.map(({file}) => ({ use: (act:any) => act({size:file.length, read: async (a:number,b:number)=>file.subarray(a,b), stream: async function*(){}}) }))
  const plan = await planDefacing(members as any, { secret: "k" })
  const t2=Date.now()
  console.log(modality, name, t1-t0, t2-t1, plan.kind === "held" ? plan : {j:plan.judgement, l: plan.landmarks})
  if (plan.kind!=="held") { let brain=0, hit=0, changed=0
   for (const s of slices) { const out = await plan.deface({size:s.file.length, read: async (a,b)=>s.file.subarray(a,b)} as any); if (!("read" in out)) throw 1; const b= await out.read(0,out.size)
    const off=s.file.length-s.brain.length*2
    for (let i=0;i<s.brain.length;i++){ const c = b[off+2*i]!==s.file[off+2*i]||b[off+2*i+1]!==s.file[off+2*i+1]; if(c)changed++; if(s.brain[i]){brain++; if(c)hit++} } }
   console.log({brain,hit,changed}) }
}
