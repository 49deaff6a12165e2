/** Packages without declarations of their own: emscripten factories. */
declare module "@cornerstonejs/codec-charls/wasmjs" {
  const factory: (options: { readonly print: () => void; readonly printErr: () => void }) => Promise<unknown>
  export default factory
}
declare module "@cornerstonejs/codec-openjpeg/wasmjs" {
  const factory: (options: { readonly print: () => void; readonly printErr: () => void }) => Promise<unknown>
  export default factory
}
declare module "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs" {
  const factory: (options: { readonly print: () => void; readonly printErr: () => void }) => Promise<unknown>
  export default factory
}
declare module "jpeg-lossless-decoder-js"
