import { erasingSuite } from "./erase-suite.ts"

erasingSuite("folders", () => ({ driver: "folder", dir: "data/objects" }))
