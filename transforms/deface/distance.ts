import type { Vector } from "./slices.ts"

const far = 1e12

/** One line of the squared distance transform by lower envelopes of parabolas (Felzenszwalb and Huttenlocher, Distance Transforms of
 * Sampled Functions, 2012). */
function line(f: Float64Array, n: number, out: Float64Array, v: Int32Array, z: Float64Array): void {
  let k = 0
  v[0] = 0
  z[0] = -Infinity
  z[1] = Infinity
  for (let q = 1; q < n; q++) {
    let s = (f[q]! + q * q - (f[v[k]!]! + v[k]! * v[k]!)) / (2 * q - 2 * v[k]!)
    while (s <= z[k]!) {
      k--
      s = (f[q]! + q * q - (f[v[k]!]! + v[k]! * v[k]!)) / (2 * q - 2 * v[k]!)
    }
    v[++k] = q
    z[k] = s
    z[k + 1] = Infinity
  }
  k = 0
  for (let q = 0; q < n; q++) {
    while (z[k + 1]! < q) k++
    out[q] = (q - v[k]!) * (q - v[k]!) + f[v[k]!]!
  }
}

/** Squared distance of each cell to the nearest one that is a source, in cells; 1e12 where there is none. */
export function squaredDistance(isSource: (cell: number) => boolean, [nx, ny, nz]: Vector): Float32Array {
  const out = new Float32Array(nx * ny * nz)
  for (let cell = 0; cell < out.length; cell++) out[cell] = isSource(cell) ? 0 : far
  const most = Math.max(nx, ny, nz)
  const [f, d] = [new Float64Array(most), new Float64Array(most)]
  const [v, z] = [new Int32Array(most), new Float64Array(most + 1)]
  const sweep = (start: number, stride: number, count: number): void => {
    let any = false
    for (let at = 0; at < count; at++) any = (f[at] = out[start + at * stride]!) < far || any
    if (!any) return
    line(f, count, d, v, z)
    for (let at = 0; at < count; at++) out[start + at * stride] = Math.min(far, d[at]!)
  }
  for (let k = 0; k < nz; k++) for (let j = 0; j < ny; j++) sweep((k * ny + j) * nx, 1, nx)
  for (let k = 0; k < nz; k++) for (let i = 0; i < nx; i++) sweep(k * ny * nx + i, nx, ny)
  for (let j = 0; j < ny; j++) for (let i = 0; i < nx; i++) sweep(j * nx + i, nx * ny, nz)
  return out
}
