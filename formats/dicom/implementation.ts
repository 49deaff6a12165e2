/** Implementation Class UID (0002,0012) of files that Weir writes (PS3.7 D.3.3.2), of the UUID form of PS3.5 B.2. */
export const implementationClassUid = "2.25.290681605274688524794406929014962998891"

/** Implementation Version Name (0002,0013), at most 16 characters. */
export const implementationVersionName = "WEIR_0_1"
