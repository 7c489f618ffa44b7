extension PageScript {
    /// Reading strangers' JSON without trusting its shape, and the encodings of the formats.
    static let encoding = #"""
        const LIMITS = Object.freeze({
          depth: 128, receipts: 5000, entries: 1000, set_aside: 5000, path: 64, inputs: 256, keys: 1024,
        });

        /** The own member of an object; undefined for everything else. */
        const own = (value, key) =>
          value !== null && typeof value === "object" && Object.hasOwn(value, key) ? value[key] : undefined;
        const at = (value, ...keys) => keys.reduce(own, value);
        const text = (value) => (typeof value === "string" ? value : "");
        const list = (value) => (Array.isArray(value) ? value : []);
        const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
        const whole = (value) => (Number.isSafeInteger(value) ? value : null);
        const texts = (value) => list(value).filter((entry) => typeof entry === "string");

        /** The object without some of its members. */
        const without = (value, ...keys) =>
          Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));

        /** Two JSON values, compared by what they say: the order of members does not count. */
        const same = (left, right) => canonical(left ?? null) === canonical(right ?? null);

        /** RFC 8785. Numbers and strings of ECMAScript are those of the standard; only the order of members is ours to make. */
        function canonical(value, depth = 0) {
          if (depth > LIMITS.depth) throw new RangeError("the document is nested too deeply");
          if (Array.isArray(value)) return `[${value.map((entry) => canonical(entry, depth + 1)).join(",")}]`;
          if (value !== null && typeof value === "object") {
            const members = Object.keys(value).sort();
            return `{${members.map((key) => `${JSON.stringify(key)}:${canonical(value[key], depth + 1)}`).join(",")}}`;
          }
          return JSON.stringify(value);
        }

        const encoder = new TextEncoder();
        const bytesOf = (string) => encoder.encode(string);

        function joined(...parts) {
          const result = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
          let offset = 0;
          for (const part of parts) {
            result.set(part, offset);
            offset += part.length;
          }
          return result;
        }

        const equalBytes = (left, right) =>
          left.length === right.length && left.every((byte, index) => byte === right[index]);

        function toBase64(bytes) {
          let binary = "";
          for (const byte of bytes) binary += String.fromCharCode(byte);
          return btoa(binary);
        }

        const toBase64URL = (bytes) =>
          toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

        /** Strict base64: the one spelling of the bytes, or null. */
        function fromBase64(string) {
          if (string.length > 100_000 || !/^[A-Za-z0-9+/]*={0,2}$/.test(string)) return null;
          try {
            const bytes = Uint8Array.from(atob(string), (character) => character.charCodeAt(0));
            return toBase64(bytes) === string ? bytes : null;
          } catch {
            return null;
          }
        }

        /** Strict base64url without padding, or null. */
        function fromBase64URL(string) {
          if (!/^[A-Za-z0-9_-]*$/.test(string)) return null;
          const plain = string.replaceAll("-", "+").replaceAll("_", "/");
          return fromBase64(plain + "=".repeat((4 - (plain.length % 4)) % 4));
        }

        /** A SHA-256 in base64url, or null. */
        function digestOf(value) {
          const bytes = typeof value === "string" && value.length === 43 ? fromBase64URL(value) : null;
          return bytes?.length === 32 ? bytes : null;
        }

        /** A path of a proof, or null. */
        function pathOf(value) {
          if (!Array.isArray(value) || value.length > LIMITS.path) return null;
          const digests = value.map(digestOf);
          return digests.includes(null) ? null : digests;
        }

        const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

        /** The 32 bytes of an Ed25519 `did:key`, or null. */
        function keyOfDID(did) {
          if (typeof did !== "string" || did.length > 128 || !did.startsWith("did:key:z")) return null;
          let number = 0n;
          for (const character of did.slice(9)) {
            const digit = BASE58.indexOf(character);
            if (digit < 0) return null;
            number = number * 58n + BigInt(digit);
          }
          const hex = number.toString(16);
          if (hex.length !== 68 || !hex.startsWith("ed01") || did[9] === "1") return null;
          return Uint8Array.from(hex.slice(4).match(/../g), (pair) => parseInt(pair, 16));
        }

        /** Milliseconds since 1970 of an RFC 3339 time with an offset; NaN for all else. */
        function timeOf(value) {
          const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
          return typeof value === "string" && value.length < 40 && form.test(value) ? Date.parse(value) : NaN;
        }

        /** A JSON text from inside the bundle; undefined when it is none. */
        function parsed(value) {
          if (typeof value !== "string") return undefined;
          try {
            return JSON.parse(value);
          } catch {
            return undefined;
          }
        }
        """#
}
