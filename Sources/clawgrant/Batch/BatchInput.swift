import ArgumentParser
import ClawWire
import GrantWorker
import Keys
import ReceiptLog

/// Batches of receipts from a file, and the keys that may sign them.
struct BatchInput: ParsableArguments {
    @OptionGroup var source: ConfigurationOptions

    @Argument(
        help: ArgumentHelp(
            "Records of the receipts topic or lines of `clawgrant tail --json`, one a line and in order; - for standard "
                + "input.", valueName: "file"), completion: .file())
    var path: String?

    @Flag(name: .customLong("stdin"), help: "Read standard input.")
    var readsStandardInput = false

    @Option(
        name: .customLong("log-key"),
        help: ArgumentHelp(
            "A key that may sign for the log: a did:key, a JWKS file or a PEM file; may be repeated. Default: the "
                + "receipt keys of the configuration.", valueName: "key"))
    var logKeys: [String] = []

    @Option(name: .customLong("log-id"), help: ArgumentHelp("The log that is expected.", valueName: "name"))
    var logID: String?

    mutating func validate() throws {
        guard (path != nil) != readsStandardInput else { throw ValidationError("give a file or --stdin") }
    }

    /// The keys.
    func keys() throws -> [Ed25519PublicKey] {
        guard logKeys.isEmpty else { return try logKeys.flatMap(KeyArguments.publicKeys) }
        let ring = try KeyRing.load(try source.load().worker.keys, required: [], at: Clock.now)
        return ring.inventory().filter { $0.configuration.purpose == .receipt }.map(\.publicKey)
    }

    /// The batches, checked one by one and each against its predecessor.
    ///
    /// - Throws: what was wrong with the first batch that does not stand.
    func verified() throws -> [VerifiedBatch] {
        let keys = try keys()
        var batches: [VerifiedBatch] = []
        for (index, record) in try records().enumerated() {
            do {
                let batch = try verify(record, after: batches.last, keys)
                batches.append(batch)
            } catch {
                throw CommandFailure.negative("batch \(index + 1) of the input does not stand: \(error)")
            }
        }
        guard !batches.isEmpty else { throw CommandFailure.usage("the input holds no batch") }
        return batches
    }

    private func verify(
        _ record: [UInt8], after previous: VerifiedBatch?, _ keys: [Ed25519PublicKey]
    ) throws -> VerifiedBatch {
        let expected = logID.map { LogID($0) }
        guard let previous else {
            let alone = try VerifiedBatch(parsing: record, previous: nil, logID: expected, logKeys: keys)
            guard alone.header.number.value == 0 else { return alone }
            // The first batch of a log has a known predecessor: the empty log.
            return try VerifiedBatch(parsing: record, previous: try LogTail(logID: alone.header.logID), logKeys: keys)
        }
        if let tail = previous.tail { return try VerifiedBatch(parsing: record, previous: tail, logKeys: keys) }
        let batch = try VerifiedBatch(parsing: record, previous: nil, logID: previous.header.logID, logKeys: keys)
        guard batch.header.number.value == previous.header.number.value + 1,
            batch.header.previousHeaderHash == previous.headerHash,
            batch.header.firstPosition.value == previous.header.firstPosition.value + Int64(previous.header.count)
        else {
            throw CommandFailure.negative(
                "batch \(batch.header.number) does not follow on batch \(previous.header.number)")
        }
        return batch
    }

    private func records() throws -> [[UInt8]] {
        let bytes = try InputFile.bytes(readsStandardInput ? "-" : path ?? "-")
        return try bytes.split(separator: UInt8(ascii: "\n")).map { Array($0) }.filter { !$0.isEmpty }.map { line in
            guard line.starts(with: Array("{\"stream\"".utf8)) else { return line }
            do {
                let document = try JSONReader.parse(line)
                return document["record"].map { JSONWriter.bytes($0, order: .canonical) } ?? line
            } catch {
                throw CommandFailure.usage("a line of the input is no JSON: \(error)")
            }
        }
    }
}

extension VerifiedBatch {
    /// The index of a receipt, by its id.
    func index(of id: String) -> Int? {
        receipts.firstIndex { (try? Receipt(parsing: $0))?.id.rawValue == id }
    }
}
