//! Texts at the border: AssemblyScript has UTF-16, the runtime and the wire have UTF-8.
//!
//! What must stay true: what is given to the runtime is UTF-8, whatever is in a string (a lone
//! surrogate becomes U+FFFD); and bytes of others are looked at before they are taken for UTF-8.

/** A string as UTF-8. */
export function utf8(text: string): ArrayBuffer {
  return String.UTF8.encode(text, false, String.UTF8.ErrorMode.REPLACE);
}

/** Whether these bytes are UTF-8, as the Unicode standard has it in its table 3-7. */
export function isUtf8(at: usize, length: u32): bool {
  const end = at + length;
  while (at < end) {
    const first = load<u8>(at++);
    if (first < 0x80) continue;
    let more = 0;
    let low: u8 = 0x80;
    let high: u8 = 0xbf;
    if (first >= 0xc2 && first <= 0xdf) more = 1;
    else if (first >= 0xe0 && first <= 0xef) {
      more = 2;
      if (first == 0xe0) low = 0xa0;
      if (first == 0xed) high = 0x9f;
    } else if (first >= 0xf0 && first <= 0xf4) {
      more = 3;
      if (first == 0xf0) low = 0x90;
      if (first == 0xf4) high = 0x8f;
    } else return false;
    if (<usize>more > end - at) return false;
    const second = load<u8>(at++);
    if (second < low || second > high) return false;
    for (let i = 1; i < more; i++) {
      if ((load<u8>(at++) & 0xc0) != 0x80) return false;
    }
  }
  return true;
}
