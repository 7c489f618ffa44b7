extension PageScript {
    /// Hashes, signatures, trees and notes, with nothing but WebCrypto.
    static let crypto = #"""
        const engine = globalThis.crypto?.subtle ?? null;

        const sha256 = async (...parts) => new Uint8Array(await engine.digest("SHA-256", joined(...parts)));
        const hashText = async (string) => toBase64URL(await sha256(bytesOf(string)));

        const importedKeys = new Map();

        /** Whether a signature is a key's. Throws when the browser cannot tell. */
        async function isSigned(key, signature, message) {
          const name = toBase64(key);
          if (!importedKeys.has(name)) {
            importedKeys.set(name, engine.importKey("raw", key, { name: "Ed25519" }, false,
              ["verify"]).catch(() => null));
          }
          const imported = await importedKeys.get(name);
          return imported !== null && (await engine.verify({ name: "Ed25519" }, imported, signature, message));
        }

        const fromHex = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));

        /** Known answers (FIPS 180-4; RFC 8032 section 7.1, test 2): a browser that fails them checks nothing here. */
        const KNOWN = Object.freeze({
          abc: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
          key: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
          signature:
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        });

        /** What this browser can do: `{hashes, signatures, reason}`; the reason is a sentence when something is missing. */
        async function abilities() {
          const none = (reason) => ({ hashes: false, signatures: false, reason });
          if (!engine) return none("This browser offers no WebCrypto on this page, so that nothing can be checked here.");
          try {
            if (!equalBytes(await sha256(bytesOf("abc")), fromHex(KNOWN.abc))) {
              return none("This browser computes SHA-256 wrongly, so that nothing can be checked here.");
            }
          } catch {
            return none("This browser cannot compute SHA-256, so that nothing can be checked here.");
          }
          try {
            const key = await engine.importKey("raw", fromHex(KNOWN.key), { name: "Ed25519" }, false, ["verify"]);
            const check = (message) => engine.verify({ name: "Ed25519" }, key, fromHex(KNOWN.signature), message);
            if ((await check(Uint8Array.of(0x72))) && !(await check(Uint8Array.of(0x73)))) {
              return { hashes: true, signatures: true, reason: "" };
            }
            return { hashes: true, signatures: false, reason: "This browser checks Ed25519 signatures wrongly." };
          } catch {
            return { hashes: true, signatures: false, reason: "This browser cannot check Ed25519 signatures." };
          }
        }

        // --- RFC 9162 ---

        const leafHash = (data) => sha256(Uint8Array.of(0), data);
        const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

        /** The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2), or null when its length does not fit. */
        async function rootOfPath(leaf, index, size, path) {
          if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return null;
          let [node, last, hash] = [index, size - 1, leaf];
          const up = () => {
            node = Math.floor(node / 2);
            last = Math.floor(last / 2);
          };
          for (const sibling of path) {
            if (last === 0) return null;
            if (node % 2 === 1 || node === last) {
              hash = await nodeHash(sibling, hash);
              while (node % 2 === 0 && node !== 0) up();
            } else {
              hash = await nodeHash(hash, sibling);
            }
            up();
          }
          return last === 0 ? hash : null;
        }

        /** The root by the reference log's rule: no prefixes, the last node of an odd level paired with itself. */
        async function compatibleRoot(leaf, index, path) {
          let [hash, place] = [leaf, index];
          for (const sibling of path) {
            hash = place % 2 === 0 ? await sha256(hash, sibling) : await sha256(sibling, hash);
            place = Math.floor(place / 2);
          }
          return hash;
        }

        function compatibleLength(size) {
          let length = 0;
          for (let width = size; width > 1; width = Math.ceil(width / 2)) length += 1;
          return length;
        }

        // --- C2SP signed notes ---

        /** `{text, origin, size, root, signatures}` of a checkpoint, or null. */
        function parseCheckpoint(note) {
          const cut = note.lastIndexOf("\n\n");
          if (note.length > 65_536 || cut < 1 || !note.endsWith("\n")) return null;
          const signed = note.slice(0, cut + 1);
          const lines = signed.split("\n");
          const root = fromBase64(lines[2] ?? "");
          if (lines.length < 4 || !/^(0|[1-9]\d{0,15})$/.test(lines[1]) || root?.length !== 32) return null;
          const signatures = [];
          for (const line of note.slice(cut + 2, -1).split("\n")) {
            const parts = line.split(" ");
            const bytes = parts.length === 3 && parts[0] === "—" ? fromBase64(parts[2]) : null;
            if (!bytes || bytes.length < 5 || signatures.length >= 64) return null;
            signatures.push({ name: parts[1], id: bytes.slice(0, 4), bytes: bytes.slice(4) });
          }
          return { text: signed, origin: lines[0], size: Number(lines[1]), root, signatures };
        }

        /** The first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ key). */
        const noteKeyID = async (name, type, key) =>
          (await sha256(bytesOf(name), Uint8Array.of(0x0a, type), key)).slice(0, 4);

        /** Whether a key signed a note: true, false, or null when it did not even try. */
        async function noteSignedBy(note, name, key) {
          const id = await noteKeyID(name, 1, key);
          const mine = note.signatures.filter((line) => line.name === name && equalBytes(line.id, id));
          if (mine.length === 0) return null;
          for (const line of mine) if (!(await isSigned(key, line.bytes, bytesOf(note.text)))) return false;
          return true;
        }

        /** When a witness cosigned (C2SP tlog-cosignature): true, false, or null when it did not. */
        async function noteCosignedBy(note, witness) {
          const id = await noteKeyID(witness.name, 4, witness.key);
          const line = note.signatures.find((entry) => entry.name === witness.name && equalBytes(entry.id, id));
          if (!line) return null;
          if (line.bytes.length !== 72) return false;
          const seconds = new DataView(line.bytes.buffer, line.bytes.byteOffset).getBigUint64(0);
          return isSigned(witness.key, line.bytes.slice(8), bytesOf(`cosignature/v1\ntime ${seconds}\n${note.text}`));
        }
        """#
}
