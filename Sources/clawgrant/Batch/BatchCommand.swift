import ArgumentParser
import ClawWire
import ReceiptLog

/// `clawgrant batch`: batches of receipts.
struct BatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "batch", abstract: "Verify batches of receipts and prove what they hold.",
        subcommands: [BatchVerifyCommand.self, BatchProveCommand.self])
}

/// `clawgrant batch verify`.
struct BatchVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Verify signatures, trees, receipts, checkpoints and the chain of batches.",
        discussion: "From batch 0 on, the place in the log is checked too; otherwise the batches against each other.")

    @OptionGroup var input: BatchInput
    @OptionGroup var output: OutputOptions

    @Option(name: .customLong("receipt"), help: ArgumentHelp("Print this receipt.", valueName: "id"))
    var receiptID: String?

    mutating func run() async throws {
        let batches = try input.verified()
        if let receiptID {
            for batch in batches {
                guard let index = batch.index(of: receiptID) else { continue }
                Console.out(try JSONReader.parse(batch.receipts[index]))
                return
            }
            throw CommandFailure.negative("no receipt \(Console.plain(receiptID)) is in these \(batches.count) batches")
        }
        for batch in batches {
            let header = batch.header
            if output.isJSON {
                Console.out([
                    "verified": true, "log_id": .string(header.logID.rawValue), "batch": .integer(header.number.value),
                    "first_position": .integer(header.firstPosition.value), "receipts": .integer(header.count),
                    "counts": .object(
                        JSONObject(header.counts.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) })),
                    "root_b64u": .string(header.root.b64u), "sealed_at": .string(header.sealedAt.iso8601),
                    "signer": .string(batch.signer.did), "place_checked": .bool(batch.tail != nil),
                    "checkpoint_size": batch.checkpoint.map { .integer($0.checkpoint.size) } ?? .null,
                ])
            } else {
                let counts = header.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
                Console.out(
                    "batch \(header.number) of \(header.logID): \(header.count) receipts from position "
                        + "\(header.firstPosition) (\(counts.joined(separator: ", "))), sealed \(header.sealedAt)")
            }
        }
        guard !output.isJSON, let last = batches.last else { return }
        Console.out(
            "verified: \(batches.count) batches, \(batches.reduce(0) { $0 + $1.header.count }) receipts, "
                + (last.tail == nil ? "against each other" : "from the beginning of the log"))
    }
}

/// `clawgrant batch prove`.
struct BatchProveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prove", abstract: "Prove that a grant or a receipt is in a batch.",
        discussion: """
            With --grant, checks the proof that the grant carries against the batch. With --receipt, prints the proof \
            of that receipt; with --clawlogs as a log_inclusion_proof.v1 of the reference log, with the log's additional \
            signature over log, size and time.
            """)

    @OptionGroup var input: BatchInput
    @OptionGroup var output: OutputOptions

    @Option(
        help: ArgumentHelp("A grant record, or a line of `clawgrant tail --json`.", valueName: "file"),
        completion: .file())
    var grant: String?

    @Option(name: .customLong("receipt"), help: ArgumentHelp("A receipt in the batches.", valueName: "id"))
    var receiptID: String?

    @Flag(help: "With --receipt: print a log_inclusion_proof.v1.")
    var clawlogs = false

    mutating func validate() throws {
        guard !clawlogs || receiptID != nil else { throw ValidationError("--clawlogs goes with --receipt") }
        guard (grant != nil) != (receiptID != nil) else { throw ValidationError("give either --grant or --receipt") }
    }

    mutating func run() async throws {
        let batches = try input.verified()
        if let grant { try prove(try Self.grant(grant), batches) }
        if let receiptID { try prove(receiptID, batches) }
    }

    private func prove(_ published: PublishedGrant, _ batches: [VerifiedBatch]) throws {
        let proof = published.proof
        let grant = published.grant
        guard let batch = batches.first(where: { $0.header.number == proof.batchNumber }) else {
            throw CommandFailure.negative("the grant is in batch \(proof.batchNumber), which is not in the input")
        }
        guard batch.receipts.indices.contains(proof.index) else {
            throw CommandFailure.negative("batch \(proof.batchNumber) has no receipt \(proof.index)")
        }
        let receipt = batch.receipts[proof.index]
        guard proof.leads(from: receipt, to: batch.header), Digest(hashing: receipt) == grant.receiptDigest else {
            throw CommandFailure.negative(
                "the grant's proof does not lead from its receipt to batch \(proof.batchNumber)")
        }
        guard let content = try? Receipt(parsing: receipt).content, case .grantIssued(let issued) = content,
            issued.token == grant.token, issued.granted == grant.granted
        else { throw CommandFailure.negative("the receipt says something else than the grant") }
        if output.isJSON {
            Console.out([
                "proved": true, "request_id": .string(grant.requestID.rawValue),
                "receipt_id": .string(grant.receiptID.rawValue), "batch": .integer(proof.batchNumber.value),
                "position": .integer(proof.position.value), "log_id": .string(batch.header.logID.rawValue),
            ])
        } else {
            Console.out(
                "proved: the grant of \(Console.plain(grant.requestID.rawValue)) has receipt \(grant.receiptID) at position "
                    + "\(proof.position), in batch \(proof.batchNumber) of \(batch.header.logID)")
        }
    }

    private func prove(_ id: String, _ batches: [VerifiedBatch]) throws {
        for batch in batches {
            guard let index = batch.index(of: id), let proof = batch.proof(of: index) else { continue }
            guard !clawlogs else {
                guard let compatible = batch.compatibleProof(of: index) else {
                    throw CommandFailure.negative(
                        "batch \(proof.batchNumber) came without a signed root by that rule",
                        remedy: "prove it with its own path, without --clawlogs")
                }
                Console.out(compatible.json)
                return
            }
            Console.out([
                "receipt_id": .string(id), "log_id": .string(batch.header.logID.rawValue),
                "receipt_digest_b64u": .string(Digest(hashing: batch.receipts[index]).b64u),
                "proof": [
                    "batch_number": .integer(proof.batchNumber.value), "count": .integer(proof.count),
                    "header_hash_b64u": .string(proof.headerHash.b64u), "index": .integer(proof.index),
                    "path": .array(proof.path.map { .string($0.b64u) }), "position": .integer(proof.position.value),
                ],
            ])
            return
        }
        throw CommandFailure.negative("no receipt \(Console.plain(id)) is in these \(batches.count) batches")
    }

    private static func grant(_ path: String) throws -> PublishedGrant {
        let bytes = try InputFile.bytes(path, atMost: 4 << 20)
        do {
            let document = try JSONReader.parse(bytes)
            return try PublishedGrant(
                parsing: JSONWriter.bytes(document["record"] ?? document, order: .canonical))
        } catch {
            throw CommandFailure.usage("\(path) is no grant record: \(error)")
        }
    }
}
