import ArgumentParser
import ClawWire
import GrantLedger
import GrantWorker
import ReceiptLog

/// `clawgrant checkpoint`: heads of the receipt log, and what witnesses say of them.
struct CheckpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint", abstract: "Show checkpoints of the log and keep what witnesses cosigned.",
        subcommands: [CheckpointShowCommand.self, CheckpointStoreCommand.self, CheckpointCosignaturesCommand.self])
}

/// `clawgrant checkpoint show`.
struct CheckpointShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print a checkpoint as a signed note, with all cosignatures that are stored.",
        discussion: "The note on standard output is what a witness is sent, and what `checkpoint store` takes back.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("The checkpoint of this many batches; default: the newest.", valueName: "number"))
    var size: UInt64?

    @Flag(help: "The newest that a witness has cosigned.")
    var cosigned = false

    mutating func validate() throws {
        guard size == nil || !cosigned else { throw ValidationError("give either --size or --cosigned") }
    }

    mutating func run() async throws {
        let file = try source.load()
        let choice: CheckpointChoice = size.map { .size($0) } ?? (cosigned ? .newestCosigned : .newest)
        let found = try await LedgerAccess.ledger(file) { try await $0.checkpoint(choice) }
        guard let found else { throw Self.missing(choice) }
        if output.isJSON {
            Console.out([
                "size": .integer(found.size), "sealed_at": .string(found.sealedAt.iso8601),
                "note": .string(found.note.encoded),
                "cosignatures": .array(found.cosignatures.map(\.json)),
            ])
        } else {
            // A note ends in a newline of its own.
            Console.out(String(found.note.encoded.dropLast()))
        }
    }

    private static func missing(_ choice: CheckpointChoice) -> CommandFailure {
        switch choice {
        case .newest:
            .negative("the log has no checkpoint yet", remedy: "run a worker; the first batch has the first one")
        case .newestCosigned:
            .negative(
                "no checkpoint has a stored cosignature", remedy: "bring one with `clawgrant checkpoint store FILE`")
        case .size(let size):
            .negative(
                "the log has no checkpoint of size \(size)", remedy: "`clawgrant checkpoint show` shows the newest")
        }
    }
}

/// `clawgrant checkpoint store`.
struct CheckpointStoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Verify a checkpoint that witnesses have cosigned, and keep the cosignatures.",
        discussion: """
            The note's text must be what the log sealed, the log's signature and those of known witnesses must stand, and \
            a witness must not go back behind what it has cosigned. Known witnesses are those of the configuration, or \
            with --trust those of a trust file. All of it is stored, or nothing; storing it again changes nothing.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Argument(
        help: ArgumentHelp("The cosigned note; - is standard input.", valueName: "file"), completion: .file())
    var path: String

    @Option(
        help: ArgumentHelp("Take witnesses and log keys from this trust file.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var trust: String?

    mutating func run() async throws {
        let file = try source.load()
        let known = try KnownWitnesses.load(file, trustFile: trust)
        let note = try Self.note(path)
        let (size, new, all) = try await LedgerAccess.ledger(file) { ledger in
            let claimed = try Checkpoint(parsing: note.text)
            guard let stored = try await ledger.checkpoint(.size(claimed.size)) else {
                let newest = try await ledger.checkpoint(.newest)?.size ?? 0
                throw CommandFailure.negative(
                    "the note is of size \(claimed.size), and the newest checkpoint of \(file.worker.logID) has size "
                        + "\(newest)",
                    remedy: "check that the note is of this log; if its signature stands, the log was rolled back")
            }
            let cosigned = try CosignedCheckpoint(
                note, sealed: stored.sealed, logKeys: known.logKeys, logID: file.worker.logID,
                witnesses: known.witnesses)
            return (claimed.size, try await ledger.store(cosigned), cosigned.cosignatures)
        }
        if output.isJSON {
            Console.out([
                "size": .integer(size), "stored": .array(new.map(\.json)),
                "known_before": .array(all.filter { !new.contains($0) }.map(\.json)),
            ])
            return
        }
        for cosignature in all {
            let what = new.contains(cosignature) ? "stored" : "was stored before"
            Console.out(
                "\(what): \(Console.plain(cosignature.witness)) cosigned checkpoint \(size) at \(cosignature.cosignedAt)"
            )
        }
    }

    private static func note(_ path: String) throws -> SignedNote {
        guard
            let text = String(
                validating: try InputFile.bytes(path, atMost: SignedNote.maximumBytes), as: UTF8.self)
        else { throw CommandFailure.usage("\(path) is not UTF-8 text; a signed note was expected") }
        do {
            return try SignedNote(parsing: text)
        } catch {
            throw CommandFailure.usage("\(path) is no signed note: \(error.detail)")
        }
    }
}

/// `clawgrant checkpoint cosignatures`.
struct CheckpointCosignaturesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cosignatures", abstract: "List witnesses with the newest checkpoint that each has cosigned.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    mutating func run() async throws {
        let file = try source.load()
        let (newest, size) = try await LedgerAccess.ledger(file) { ledger in
            (try await ledger.newestCosignatures(), try await ledger.checkpoint(.newest)?.size ?? 0)
        }
        let silent = file.worker.witnesses.filter { key in
            !newest.contains { $0.cosignature.witness == key.name && $0.cosignature.keyID == key.keyID }
        }
        if output.isJSON {
            Console.out([
                "newest_checkpoint": .integer(size), "witnesses": .array(newest.map(\.json)),
                "without_cosignature": .array(silent.map { .string($0.name) }),
            ])
            return
        }
        guard !newest.isEmpty || !silent.isEmpty else {
            Console.out("no witness is configured, and no cosignature is stored; the newest checkpoint is \(size)")
            return
        }
        var rows = [["WITNESS", "KEY ID", "CHECKPOINT", "COSIGNED AT", "BEHIND"]]
        for stored in newest {
            let cosignature = stored.cosignature
            rows.append([
                Console.plain(cosignature.witness), Hex.encode(cosignature.keyID), "\(cosignature.size)",
                "\(cosignature.cosignedAt)", "\(size - min(size, cosignature.size)) batches",
            ])
        }
        for key in silent { rows.append([Console.plain(key.name), Hex.encode(key.keyID), "none", "-", "-"]) }
        for line in Console.table(rows) { Console.out(line) }
    }
}

extension CheckpointCosignature {
    /// For programs.
    fileprivate var json: JSONValue {
        [
            "witness": .string(witness), "key_id": .string(Hex.encode(keyID)), "size": .integer(size),
            "cosigned_at": .string(cosignedAt.iso8601),
        ]
    }
}

extension StoredCosignature {
    /// For programs.
    fileprivate var json: JSONValue {
        var object = cosignature.json.object ?? JSONObject()
        object["stored_at"] = .string(storedAt.iso8601)
        return .object(object)
    }
}
