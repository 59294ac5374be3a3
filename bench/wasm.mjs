// How much WebAssembly a page needs when it is the first one, compressed with brotli: what every screen needs, and with it what
// each room of screens needs besides. Prints `room=bytes …`; the first is that of the screens in no room.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';

const folder = process.argv[2];
const size = (file) => brotliCompressSync(readFileSync(join(folder, `${file}.wasm`))).length;
const rooms = JSON.parse(readFileSync(join(folder, '__wasm_split_manifest.json'), 'utf8'));
const always = size('switchyard');
const besides = Object.entries(rooms).map(([room, files]) => `${room}=${files.map(size).reduce((a, b) => a + b, always)}`);
console.log([`lines=${always}`, ...besides.sort()].join(' '));
