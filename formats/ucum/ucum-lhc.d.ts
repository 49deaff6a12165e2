declare module "@lhncbc/ucum-lhc" {
  const library: unknown
  export default library
}
