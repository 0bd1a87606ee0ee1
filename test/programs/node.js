// The script of the Node.js test. Prints one line for each part, made of counts and checksums.
'use strict';
const childProcess = require('child_process');
const crypto = require('crypto');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { promisify } = require('util');
const stream = require('stream');
const zlib = require('zlib');

const md5 = (...parts) => parts.reduce((hash, part) => hash.update(part), crypto.createHash('md5')).digest('hex');
const say = (name, ...values) => console.log(name, ...values);

// A document that depends on `seed` alone.
function makeDocument(seed, count) {
    const list = [];
    for (let i = 0; i < count; i++) {
        list.push({ id: i, name: `item ${seed}/${i}`, values: [i * 1.5, i % 7, null, i % 2 === 0],
                    nested: { text: 'x'.repeat(i % 200), key: `${(i * 2654435761 + seed) % 4294967296}` } });
    }
    return list;
}

function json() {
    let text = JSON.stringify(makeDocument(1, 60000));
    for (let round = 0; round < 3; round++) {
        const parsed = JSON.parse(text);
        parsed.reverse();
        text = JSON.stringify(parsed);
    }
    say('json', text.length, md5(text));
    const map = new Map();
    for (let i = 0; i < 300000; i++) map.set(`key ${i * 7919 % 100003}`, { i });
    say('map', map.size, [...map.values()].reduce((sum, value) => (sum + value.i) % 1000003, 0));
}

// Buffers outside V8's heap: each of them is malloc's.
async function buffers() {
    const kept = [];
    const sum = crypto.createHash('md5');
    for (let i = 1; i <= 20000; i++) {
        const buffer = Buffer.alloc(i * 37 % 20000 + 5000, `${i};`);
        if (i % 10 === 0) kept.push(buffer);
        if (kept.length > 500) sum.update(kept.splice(i % 400, 1)[0]);
        if (i % 2000 === 0) await new Promise(setImmediate);
    }
    say('buffers', kept.length, sum.digest('hex'), md5(Buffer.concat(kept)));
}

// Work for libuv's pool: many jobs under way at once, their answers in order.
async function pool() {
    const deflate = promisify(zlib.deflate), inflate = promisify(zlib.inflate);
    const brotli = promisify(zlib.brotliCompress), unbrotli = promisify(zlib.brotliDecompress);
    const scrypt = promisify(crypto.scrypt);
    const blocks = Array.from({ length: 64 }, (_, i) => Buffer.from(JSON.stringify(makeDocument(i, 200 + i))));
    const packed = await Promise.all(blocks.map((block) => deflate(block)));
    const unpacked = await Promise.all(packed.map((block) => inflate(block)));
    say('deflate', md5(...packed), unpacked.every((block, i) => block.equals(blocks[i])));
    const squeezed = await Promise.all(blocks.slice(0, 12).map(
        (block) => brotli(block, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } })));
    const back = await Promise.all(squeezed.map((block) => unbrotli(block)));
    say('brotli', md5(...squeezed), back.every((block, i) => block.equals(blocks[i])));
    say('scrypt', md5(...await Promise.all([1, 2, 3, 4].map((i) => scrypt(`word ${i}`, 'salt', 64)))));
}

async function streams() {
    const sum = crypto.createHash('sha256');
    const source = stream.Readable.from((function* () {
        for (let i = 0; i < 3000; i++) yield Buffer.alloc(i * 13 % 9000 + 1, `${i} `);
    })());
    await promisify(stream.pipeline)(source, zlib.createGzip({ level: 3 }), zlib.createGunzip(), sum);
    say('streams', sum.digest('hex'));
}

function inWorker(seed) {
    return new Promise((resolve, reject) => {
        const shared = new SharedArrayBuffer(1 << 16);
        const worker = new Worker(__filename, { workerData: { seed, shared } });
        worker.on('message', ({ text, bytes }) =>
            resolve(`${md5(text)} ${md5(Buffer.from(bytes))} ${Atomics.load(new Int32Array(shared), 0)}`));
        worker.on('error', reject);
    });
}

// Rounds of isolates that are made, hand memory over and are torn down.
async function workers() {
    for (let round = 0; round < 4; round++) {
        say('workers', round, ...await Promise.all([1, 2, 3, 4].map((i) => inWorker(round * 10 + i))));
    }
}

function workerMain() {
    const text = JSON.stringify(JSON.parse(JSON.stringify(makeDocument(workerData.seed, 5000))));
    const bytes = new Uint8Array(1 << 20).fill(workerData.seed).buffer;
    Atomics.add(new Int32Array(workerData.shared), 0, text.length);
    parentPort.postMessage({ text, bytes }, [bytes]);
}

function children() {
    const outputs = [1, 2, 3].map((i) => childProcess.execFileSync(process.execPath,
        ['-e', `console.log(JSON.stringify(Array.from({length: 20000}, (_, k) => k * ${i})))`], { maxBuffer: 1 << 24 }));
    say('children', md5(...outputs));
}

async function main() {
    json();
    await buffers();
    await pool();
    await streams();
    await workers();
    children();
}

if (isMainThread) main(); else workerMain();
