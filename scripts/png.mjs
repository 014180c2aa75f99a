// Makes the PNG files that a browser writes small: flat pictures need no more than 256 colours.
import zlib from 'node:zlib';

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');

function* chunks(bytes) {
  for (let at = SIGNATURE.length; at < bytes.length;) {
    const n = bytes.readUInt32BE(at);
    yield [bytes.toString('latin1', at + 4, at + 8), bytes.subarray(at + 8, at + 8 + n)];
    at += n + 12;
  }
}

function chunk(name, data) {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(data.length);
  head.write(name, 4, 'latin1');
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc(Buffer.concat([head.subarray(4), data])));
  return Buffer.concat([head, data, sum]);
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

const crc = (bytes) => (bytes.reduce((c, byte) => TABLE[(c ^ byte) & 255] ^ (c >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0;

function paeth(a, b, c) {
  const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}

// The filters of a PNG: what is added to a byte, from the ones to the left, above, and left above.
const FILTERS = [() => 0, (a) => a, (a, b) => b, (a, b) => (a + b) >> 1, paeth];

function decode(bytes) {
  const parts = [...chunks(bytes)];
  const head = parts.find(([name]) => name === 'IHDR')[1];
  const [width, height, depth, kind] = [head.readUInt32BE(0), head.readUInt32BE(4), head[8], head[9]];
  if (depth !== 8 || (kind !== 2 && kind !== 6)) throw new Error(`a PNG of kind ${kind}, depth ${depth}`);
  const size = kind === 6 ? 4 : 3;
  const row = width * size;
  const packed = zlib.inflateSync(Buffer.concat(parts.filter(([name]) => name === 'IDAT').map(([, data]) => data)));
  const pixels = Buffer.alloc(row * height);
  for (let y = 0; y < height; y++) {
    const filter = FILTERS[packed[y * (row + 1)]];
    for (let x = 0; x < row; x++) {
      const at = y * row + x;
      const left = x >= size;
      const known = filter(left ? pixels[at - size] : 0, y > 0 ? pixels[at - row] : 0, left && y > 0 ? pixels[at - row - size] : 0);
      pixels[at] = packed[y * (row + 1) + 1 + x] + known;
    }
  }
  return { width, height, size, pixels };
}

const distance = (a, b) => ((a >> 16) - (b >> 16)) ** 2 + (((a >> 8) & 255) - ((b >> 8) & 255)) ** 2 + ((a & 255) - (b & 255)) ** 2;

// The commonest colours; each other one becomes the one that is nearest to it.
function palette(colours) {
  const found = new Map();
  for (const colour of colours) found.set(colour, (found.get(colour) ?? 0) + 1);
  const ordered = [...found.keys()].sort((a, b) => found.get(b) - found.get(a));
  const kept = ordered.slice(0, 256);
  const places = new Map(kept.map((colour, i) => [colour, i]));
  for (const colour of ordered.slice(256)) {
    places.set(colour, kept.reduce((best, each, i) => (distance(each, colour) < distance(kept[best], colour) ? i : best), 0));
  }
  return { kept, places };
}

export function smaller(bytes) {
  const { width, height, size, pixels } = decode(bytes);
  const colours = new Uint32Array(width * height);
  for (let i = 0; i < colours.length; i++) colours[i] = pixels.readUIntBE(i * size, 3);
  const { kept, places } = palette(colours);
  const rows = Buffer.alloc((width + 1) * height);
  colours.forEach((colour, i) => {
    rows[Math.floor(i / width) * (width + 1) + 1 + (i % width)] = places.get(colour);
  });
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3], 8);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', head),
    chunk('PLTE', Buffer.from(kept.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]))),
    chunk('IDAT', zlib.deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
