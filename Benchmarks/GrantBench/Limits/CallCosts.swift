import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import Kafka
import Playground
import ReceiptLog

/// Processor time of single calls, on one thread.
struct CallCosts {
    let options: BenchOptions
    let playground: Playground

    func measure(into report: inout BenchReport) throws {
        let sample = try SampleDecision(playground)
        let count = options.amount(2_000, quick: 500)
        let together = try sourceRecords(count, .together(options.eventsPerSignature))
        let each = try sourceRecords(min(count, 500), .each)

        var signatures = BatchSignatureCache(capacity: 4_096)
        report.add(
            "call.read_batch_signed",
            try CPUClock.perCall(count) { _ = try sample.read(together[$0], &signatures) }, .microseconds)
        report.add(
            "call.read_signed",
            try CPUClock.perCall(each.count) { _ = try sample.read(each[$0], &signatures) }, .microseconds)

        let message = together[0].value ?? []
        let signature = try sample.signer.sign(message)
        let key = sample.signer.publicKey
        report.add(
            "call.verify_signature",
            CPUClock.perCall(200) { _ in _ = key.isValidSignature(signature, for: message) }, .microseconds)

        let understood = try together.map { try sample.read($0, &signatures) }
        report.add(
            "call.fold_approval", try CPUClock.perCall(count) { _ = try sample.fold(understood[$0]) }, .microseconds)
        let states = try understood.map { try sample.fold($0) }
        report.add(
            "call.encode_approval", CPUClock.perCall(count) { _ = states[$0].encode() }, .microseconds)
        let now = Timestamp.playgroundNow
        let inputs = zip(understood, states).map { sample.input($0, $1, at: now) }
        report.add(
            "call.decide", CPUClock.perCall(count) { _ = sample.rules.decide(inputs[$0]) }, .microseconds)
        let plans = try inputs.map { try sample.plan($0) }
        report.add(
            "call.claims",
            CPUClock.perCall(count) { _ = sample.claims(understood[$0].request.requestID, plans[$0].plan) },
            .microseconds)
        let claims = zip(understood, plans).map { sample.claims($0.request.requestID, $1.plan) }
        report.add(
            "call.mint", try CPUClock.perCall(count) { _ = try sample.minter.mint(claims[$0]) }, .microseconds)
        let minted = try claims.map { try sample.minter.mint($0) }
        try measureEvidence(sample, understood, plans, minted, at: now, into: &report)
    }

    private func measureEvidence(
        _ sample: SampleDecision, _ understood: [SampleDecision.Understood],
        _ plans: [(decision: Decision, plan: GrantPlan)], _ minted: [MintedToken], at now: Timestamp,
        into report: inout BenchReport
    ) throws {
        func receipt(_ index: Int) throws -> Receipt {
            try SampleWrite.receipt(
                sample, understood[index], plans[index].decision, plans[index].plan, minted[index], at: now)
        }
        report.add(
            "call.receipt", try CPUClock.perCall(minted.count) { _ = try receipt($0).encoded() }, .microseconds)
        let encoded = try minted.indices.map { try receipt($0).encoded() }
        report.add(
            "call.records",
            try CPUClock.perCall(minted.count) { _ = try SampleWrite.effect(encoded[$0], minted[$0], sample) },
            .microseconds)
        let effects = try encoded.indices.map { try SampleWrite.effect(encoded[$0], minted[$0], sample) }
        let tail = try LogTail(logID: playground.logID)
        let batch = Array(effects.prefix(500).map(\.receipt))
        report.add(
            "call.seal_receipt",
            try CPUClock.perCall(4) { _ in
                _ = try ReceiptBatch.seal(receipts: batch, previous: tail, at: now, signer: sample.signer)
            } / Double(batch.count), .microseconds)
        let sealed = try ReceiptBatch.seal(receipts: batch, previous: tail, at: now, signer: sample.signer)
        report.add(
            "call.seal_token",
            try CPUClock.perCall(500) { index in
                _ = try SealedToken.seal(
                    minted[index].token, to: sample.recipient, ephemeralSecret: sample.sealingSecret,
                    context: Array(understood[index].request.requestID.rawValue.utf8))
            }, .microseconds)
        let jwe = try SealedToken.seal(
            minted[0].token, to: sample.recipient, ephemeralSecret: sample.sealingSecret)
        report.add(
            "call.complete_grant",
            try CPUClock.perCall(batch.count) { index in
                guard let proof = sealed.batch.proof(of: index) else { throw BenchError("a receipt has no proof") }
                let stored = try StoredGrant(scanning: effects[index].outputs[0].value)
                _ = try stored.complete(delivery: .sealed(jwe: jwe), proof: proof)
            }, .microseconds)
        report.add("size.receipt", Double(effects[0].receipt.count), .bytes)
        report.add("size.grant", Double(effects[0].outputs[0].value.count + jwe.utf8.count), .bytes)
        report.add("size.decision", Double(effects[0].outputs[1].value.count), .bytes)
        report.add("size.event", Double(understood[0].record.value?.count ?? 0), .bytes)
        report.add(
            "size.event_headers",
            Double(understood[0].record.headers.reduce(0) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }),
            .bytes)
    }

    private func sourceRecords(_ count: Int, _ signing: Workload.Signing) throws -> [SourceRecord] {
        let workload = Workload(playground: playground, signing: signing, prefix: "call")
        return try workload.records(0..<count).map { SourceRecord(record: $0) }
    }
}
