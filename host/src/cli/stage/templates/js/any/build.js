// Builds stage.wasm from src/stage.js and its imports. package.json lists preview2-shim because componentize-js needs
// it without declaring it.
import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize({
  sourcePath: 'src/stage.js',
  witPath: 'wit',
  worldName: '{{kind}}-stage',
  // A stage does not need these, and the host refuses one that imports `http`. `stdio` stays: output of a call is
  // logged.
  disableFeatures: ['random', 'clocks', 'http', 'fetch-event'],
});
await writeFile('stage.wasm', component);
console.log(`stage.wasm (${component.byteLength} bytes)`);
