// A database page's checksum, as src/store/sqlite_sum.c makes it: for tests that change a page
// on purpose and want it to be taken for a whole one.
const PAGE = 4096;
const FACTOR = 0x9e3779b97f4a7c15n;
const cut = (bits) => BigInt.asUintN(64, bits);
const rotate = (bits, by) => cut(bits << by) | (bits >> (64n - by));

// Of the first page, in place.
export function sealFirstPage(bytes) {
  const salt = 1n;
  const lanes = [salt + 1n, salt ^ FACTOR, cut(~salt), cut(salt * FACTOR + 1n)];
  for (let at = 0; at < PAGE - 8; at += 8) {
    const lane = (at / 8) % 4;
    lanes[lane] = cut(rotate(lanes[lane] ^ bytes.readBigUInt64LE(at), 29n) * FACTOR);
  }
  const sum = cut(
    lanes[0] + rotate(lanes[1], 17n) + rotate(lanes[2], 31n) + rotate(lanes[3], 47n),
  );
  bytes.writeBigUInt64LE(cut((sum ^ (sum >> 32n)) * FACTOR), PAGE - 8);
}
