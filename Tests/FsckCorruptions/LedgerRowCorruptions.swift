import ClawWire
import Fsck
import ReceiptLog

extension Corruption {
    /// Approvals of the ledger that have forgotten a use, or know one too many.
    static let ledgerApprovals: [Corruption] = [
        Corruption("an approval whose use was forgotten", .ledgerUseMissing, at: "batch 0 receipt 1").withLedger
            .spoiled { log in log.approval("apr-g0") { _ in [] } },
        Corruption("an approval that is gone", .ledgerUseMissing, at: "batch 0 receipt 1").withLedger
            .spoiled { log in log.ledgerApprovals.removeAll { $0.id == "apr-g0" } },
        Corruption(
            "an approval that served another request",
            [(.ledgerUseMissing, "batch 0 receipt 1"), (.ledgerUseWithoutReceipt, "clawgrant.approval \"apr-g0\"")]
        ).withLedger.spoiled { log in log.approval("apr-g0") { _ in ["req-other"] } },
        Corruption("a use without a grant", .ledgerUseWithoutReceipt, at: "clawgrant.approval \"apr-d0\"").withLedger
            .spoiled { log in
                log.ledgerApprovals.append(LedgerApproval(id: "apr-d0", usedBy: ["req-d0"]))
                log.ledgerApprovals.sort { $0.id < $1.id }
            },
        Corruption("a use that is there twice", .ledgerUseRepeated, at: "clawgrant.approval \"apr-g0\"").withLedger
            .spoiled { log in log.approval("apr-g0") { $0 + $0 } },
    ]

    /// Control events of the ledger that say something else than their receipts.
    static let ledgerControl: [Corruption] = [
        Corruption("a stop that the ledger does not have", .ledgerControlMissing, at: "batch 2 receipt 0").withLedger
            .spoiled { log in log.ledgerControlEvents.removeAll { $0.position == 2 } },
        Corruption(
            "a control event that left no receipt", .ledgerControlWithoutReceipt,
            at: "clawgrant.control_event \"event-7\""
        ).withLedger.spoiled { log in
            guard let last = log.ledgerControlEvents.last else { return }
            log.ledgerControlEvents.append(last.with(id: "event-7", position: 7))
            log.ledgerControlPosition = 7
        },
        changed("a control event in no position") { $0.with(position: .some(nil)) }
            .allowing([.ledgerControlMissing]),
        changed("another operation in the ledger") { $0.with(operation: "drill") },
        changed("another name in the ledger") { $0.with(handle: "stop-9") },
        changed("another result in the ledger") { $0.with(result: "pending") },
        changed("another identifier in the ledger") { $0.with(id: "event-2x") },
        changed("another digest in the ledger") { $0.with(digest: Digest(hashing: "x").bytes) },
        edited("a narrower scope in the ledger") {
            $0.within("data") { $0.within("scope") { $0["value"] = "sandbox" } }
        },
        edited("another declarer in the ledger") { $0["declared_by"] = [["id": "somebody"]] },
        edited("another reason in the ledger") { $0["reason"] = "because" },
        edited("another time in the ledger") { $0["declared_at"] = .string(Forge.noon.adding(seconds: 1).iso8601) },
        edited("another origin in the ledger") {
            $0["origin"] = ["kind": "control_topic", "signer": "0123456789abcdef"]
        },
        changed("a control event that does not read") {
            $0.with(digest: Digest(hashing: "{").bytes, body: Array("{".utf8))
        },
        Corruption(
            "a token in a control event",
            [
                (.secretToken, "clawgrant.control_event \"event-2\""),
                (.ledgerControlDiffers, "clawgrant.control_event \"event-2\""),
            ]
        ).withLedger.spoiled { log in
            log.control { $0.edited { $0["reason"] = .string(HealthyLog.loose) } }
        },
        Corruption("a stop state that was set back", .ledgerControlPosition, at: "clawgrant.control_state").withLedger
            .spoiled { $0.ledgerControlPosition = 1 },
        Corruption("a stop state ahead of its events", .ledgerControlPosition, at: "clawgrant.control_state").withLedger
            .spoiled { $0.ledgerControlPosition = 9 },
    ]

    /// The row of the stop is another one.
    private static func changed(
        _ name: String, _ change: @escaping @Sendable (LedgerControlEvent) -> LedgerControlEvent
    ) -> Corruption {
        Corruption(name, .ledgerControlDiffers, at: "clawgrant.control_event \"event-2").withLedger
            .spoiled { $0.control(change) }
    }

    /// The event in the row of the stop is another one, with its digest.
    private static func edited(
        _ name: String, _ change: @escaping @Sendable (inout JSONObject) -> Void
    ) -> Corruption {
        changed(name) { $0.edited(change) }
    }

    private func allowing(_ codes: Set<FindingCode>) -> Corruption {
        var copy = self
        copy.also.formUnion(codes)
        return copy
    }
}

extension ForgedLog {
    /// Changes the uses of an approval.
    mutating func approval(_ id: String, _ change: ([String]) -> [String]) {
        ledgerApprovals = ledgerApprovals.map {
            $0.id == id ? LedgerApproval(id: id, usedBy: change($0.usedBy)) : $0
        }
    }

    /// Changes the row of the stop.
    mutating func control(_ change: (LedgerControlEvent) -> LedgerControlEvent) {
        ledgerControlEvents = ledgerControlEvents.map { $0.position == 2 ? change($0) : $0 }
    }
}

extension LedgerControlEvent {
    func with(
        id: String? = nil, position: Int64?? = nil, operation: String? = nil, handle: String? = nil,
        result: String? = nil, digest: [UInt8]? = nil, body: [UInt8]? = nil
    ) -> LedgerControlEvent {
        LedgerControlEvent(
            id: id ?? self.id, position: position ?? self.position, operation: operation ?? self.operation,
            handle: handle ?? self.handle, result: result ?? self.result, digest: digest ?? self.digest,
            body: body ?? self.body)
    }

    func edited(_ change: (inout JSONObject) -> Void) -> LedgerControlEvent {
        var event = (try? JSONReader.parse(body))?.object ?? JSONObject()
        change(&event)
        let body = JSONWriter.bytes(.object(event), order: .canonical)
        return with(digest: Digest(hashing: body).bytes, body: body)
    }
}
