import { erasingSuite } from "./erase-suite.ts"

const folders = () => ({ driver: "folder", dir: "data/objects" })
erasingSuite("folders", folders)
erasingSuite("folders", folders, true)
