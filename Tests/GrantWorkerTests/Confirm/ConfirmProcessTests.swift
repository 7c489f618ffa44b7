import ClawWire
import DevStack
import Foundation
import GraphDouble
import IssuanceRules
import Kafka
import Playground
import Postgres
import Testing

/// A worker process whose source is to be confirmed, and a double of Microsoft Graph that it asks.
@Suite(
    "Confirming before issuing, as a process",
    .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
    .serialized, .timeLimit(.minutes(8)))
struct ConfirmProcessTests {
    /// What the vendor holds of an activation.
    private static func hold(_ activation: EntraActivation, in double: GraphDouble, isLive: Bool) {
        func time(_ seconds: Int64) -> JSONValue { .string(activation.time.adding(seconds: seconds).iso8601) }
        let id = JSONValue.string(activation.requestID)
        let principal = JSONValue.string(activation.requester.id.rawValue)
        let role = JSONValue.string(activation.entitlement.id)
        double.change(activation.tenant) { tenant in
            tenant.requests[activation.requestID] = [
                "id": id, "status": isLive ? "Provisioned" : "PendingProvisioning", "action": "selfActivate",
                "principalId": principal, "approvalId": id, "targetScheduleId": id, "createdDateTime": time(0),
                "completedDateTime": time(3), "createdBy": ["user": ["id": principal]], "roleDefinitionId": role,
                "directoryScopeId": "/",
            ]
            tenant.approvals[activation.requestID] = [
                [
                    "id": id, "status": "Completed", "reviewResult": "approve", "reviewedDateTime": time(2),
                    "reviewedBy": [
                        "id": .string(activation.approver.id.rawValue),
                        "userPrincipalName": .optional(activation.approver.upn ?? "approver@northquay.example"),
                    ],
                ]
            ]
            tenant.instances.removeAll { $0["roleAssignmentScheduleId"] == id }
            guard isLive else { return }
            tenant.instances.append([
                "principalId": principal, "assignmentType": "Activated", "startDateTime": time(3),
                "endDateTime": time(activation.windowSeconds), "roleAssignmentScheduleId": id,
                "roleDefinitionId": role, "directoryScopeId": "/",
            ])
        }
    }

    /// Rules that demand confirmation, and the section that names the double.
    private static func configure(
        _ playground: Playground, _ certificate: TestCertificate
    ) throws {
        let folder = playground.directory
        for (text, name) in [(certificate.certificate, "graph.crt.pem"), (certificate.privateKey, "graph.key.pem")] {
            try text.write(toFile: "\(folder)/keys/\(name)", atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: "\(folder)/keys/\(name)")
        }
        let rules = "\(folder)/rules.yaml"
        let text = try String(contentsOfFile: rules, encoding: .utf8)
        let demanding = text.replacing(
            "topics: [\(PlaygroundTopic.entra)]\n    authenticity: topic\n    allow_topic_authenticity: true",
            with: "topics: [\(PlaygroundTopic.entra)]\n    authenticity: confirmed")
        try #require(demanding != text)
        try demanding.write(toFile: rules, atomically: true, encoding: .utf8)
    }

    private static func section(_ double: GraphDouble) -> String {
        """
        confirmation:
          client_id: \(GraphDouble.clientID)
          certificate_file: keys/graph.crt.pem
          key_file: keys/graph.key.pem
          graph_url: "\(double.address)"
          authority_url: "\(double.address)"
          retry_min_ms: 100
          retry_max_ms: 400
          recheck_s: 1
        """
    }

    @Test("Nothing is issued before the vendor says so, whatever fails meanwhile; what ends there ends here")
    func wholeWay() async throws {
        let certificate = try TestCertificate()
        try await GraphDouble.run(certificate) { double in
            double.change(PlaygroundCast.tenant) { _ in }
            var options = PlaygroundOptions()
            options.workerSections = Self.section(double)
            let playground = try await Playground.start(options)
            do {
                try Self.configure(playground, certificate)
                try await Self.play(playground, double)
            } catch {
                for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
                await playground.stop()
                throw error
            }
            await playground.stop()
        }
    }

    private static func play(_ playground: Playground, _ double: GraphDouble) async throws {
        let worker = try playground.startWorker("w1")
        try await playground.waitUntilAtWork([worker])
        let now = Timestamp.playgroundNow
        let first = EntraActivation("first", at: now.adding(seconds: -60))
        let forged = EntraActivation("forged", at: now.adding(seconds: -60))
        hold(first, in: double, isLive: false)
        func request(_ name: String, of approval: ApprovalID) throws -> ProducerRecord {
            var request = RequestDraft(name, .appAdmin, in: playground, at: now)
            request.approvalID = approval
            return try request.record(signedBy: playground.keys.requestSigner)
        }
        // The vendor is unwell at first, and does not know what somebody wrote to the topic.
        double.fail("ScheduleRequests", .status(503), .garbage, .status(429, retryAfter: 1), .cut)
        try await playground.produce([
            first.message([.requested, .approved, .completed]), forged.message([.requested, .approved, .completed]),
            try request("first", of: first.approvalID), try request("forged", of: forged.approvalID),
            // What needs nobody's confirmation does not wait for it.
            try ApprovalDraft("other", .reconcile, in: playground).record(signedBy: playground.keys.eventSigner),
        ])
        try await playground.waitForStatus("the grant that waits for nobody", within: .seconds(120)) { $0.issued == 1 }
        try await waitUntil(deadline: .seconds(120), description: "answers that settle nothing") {
            double.count("ScheduleRequests/\(first.requestID)") >= 6
        }
        #expect(try await playground.status().issued == 1)

        // A worker that dies in between leaves the question to the next.
        await worker.kill()
        hold(first, in: double, isLive: true)
        try worker.start()
        try await playground.waitForStatus("the confirmed grant", within: .seconds(180)) { $0.issued == 2 }
        let reads = "SELECT count(*)::text FROM clawgrant.confirmation_read WHERE result = 'confirmed'"
        #expect(try await playground.query(reads).string(0, 0) == "1")
        #expect(
            try await playground.query(
                "SELECT state::text FROM clawgrant.request WHERE request_id = 'req-forged'"
            ).string(0, 0) == "0")

        // The vendor says that it is over, and the source is silent.
        hold(first, in: double, isLive: false)
        double.change(first.tenant) { $0.requests[first.requestID] = $0.requests[first.requestID]?.with("Revoked") }
        try await waitUntil(deadline: .seconds(120), description: "the revocation") {
            try await playground.query(
                "SELECT count(*)::text FROM clawgrant.request WHERE revoked_at IS NOT NULL"
            ).string(0, 0) == "1"
        }
        let log = try String(contentsOfFile: worker.log, encoding: .utf8)
        for token in double.tokens { #expect(!log.contains(token)) }
    }
}

extension JSONValue {
    /// A request with another status.
    fileprivate func with(_ status: String) -> JSONValue {
        guard var object else { return self }
        object["status"] = .string(status)
        return .object(object)
    }
}
