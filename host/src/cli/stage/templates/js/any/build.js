// Makes stage.wasm of src/stage.js and what it imports. package.json names preview2-shim because componentize-js does not,
// though it needs it.
import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize({
  sourcePath: 'src/stage.js',
  witPath: 'wit',
  worldName: '{{kind}}-stage',
  // A stage has no use for these; one that imports `http` is refused. `stdio` stays: what a call prints goes to the log.
  disableFeatures: ['random', 'clocks', 'http', 'fetch-event'],
});
await writeFile('stage.wasm', component);
console.log(`stage.wasm (${component.byteLength} bytes)`);
