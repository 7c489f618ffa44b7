public import ClawWire

/// Which runs have ended: every token of the job is revoked or has expired. It only says when a bundle is due; what the
/// bundle holds is read and verified anew.
public struct OpenRuns: Sendable {
    /// A run that has ended.
    public struct Ended: Sendable, Hashable {
        /// The job.
        public let jobID: JobID
        /// Position of the last receipt that names it.
        public let lastPosition: Int64
    }

    private struct Run {
        /// Expiry of the tokens that are not revoked, by token hash, in seconds.
        var live: [String: Int64] = [:]
        /// When the last token that is no more would have ended at the latest.
        var endedAt: Int64 = 0
        var lastPosition: Int64 = 0
    }

    private var runs: [String: Run] = [:]
    /// When the last batch that was taken was sealed.
    public private(set) var sealedAt: Timestamp?

    /// Nothing is open.
    public init() {}

    /// Number of runs that have not been told as ended.
    public var count: Int { runs.count }

    /// Takes a record of the batch topic. What cannot be read is passed over.
    public mutating func take(_ record: [UInt8]) {
        guard let batch = try? JSONReader.parse(record, limits: JSONLimits(maximumBytes: 1 << 20)),
            let first = batch["header"]?["first_position"]?.integer, let receipts = batch["receipts"]?.array
        else { return }
        if let time = batch["header"]?["sealed_at"]?.string.flatMap({ Timestamp(rfc3339: $0) }) { sealedAt = time }
        for (index, receipt) in receipts.enumerated() {
            guard let job = receipt["job_id"]?.string else { continue }
            var run = runs[job]
            switch receipt["kind"]?.string {
            case "grant.issued":
                guard let hash = receipt["token"]?["token_hash"]?.string, let end = receipt["token"]?["exp"]?.integer
                else { continue }
                run = run ?? Run()
                run?.live[hash] = end
            case "revocation":
                guard let hash = receipt["revocation"]?["token_hash"]?.string,
                    let at = receipt["occurred_at"]?.string.flatMap({ Timestamp(rfc3339: $0) })?.seconds
                else { continue }
                run?.live[hash] = nil
                let before = run?.endedAt ?? 0
                run?.endedAt = max(before, at)
            default: break
            }
            run?.lastPosition = first + Int64(index)
            runs[job] = run
        }
    }

    /// The runs that ended at least so many seconds ago, in order of their jobs; they are not told again until the job is
    /// granted another token.
    public mutating func ended(at now: Timestamp, settle: Int64) -> [Ended] {
        var ended: [Ended] = []
        for (job, run) in runs {
            let last = run.live.values.reduce(run.endedAt, max)
            guard now.seconds >= last, now.seconds - last >= settle else { continue }
            ended.append(Ended(jobID: JobID(job), lastPosition: run.lastPosition))
        }
        for run in ended { runs[run.jobID.rawValue] = nil }
        return ended.sorted { $0.jobID < $1.jobID }
    }

    /// The name of a run's file: the job's identifier with everything but letters, digits, `-`, `_` and dots written as
    /// `%` and hexadecimal, cut where it is long, and the position of the last receipt.
    public static func fileName(_ run: Ended) -> String {
        var name = ""
        for byte in run.jobID.rawValue.utf8 {
            let isPlain =
                byte >= 0x30 && byte <= 0x39 || byte >= 0x41 && byte <= 0x5A || byte >= 0x61 && byte <= 0x7A
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: ".") && !name.isEmpty
            name += isPlain ? String(UnicodeScalar(byte)) : "%" + Hex.encode([byte])
        }
        if name.utf8.count > 150 { name = "\(name.prefix(100))~\(Digest(hashing: name).b64u.prefix(22))" }
        return "\(name).\(run.lastPosition).json"
    }
}
