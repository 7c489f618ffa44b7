public import ClawWire
import IssuanceRules

/// GitHub environments: the webhook `deployment_review` decides, `deployment_protection_rule` asks.
///
/// An approval is of one run, one attempt, one environment and one commit; a re-run asks anew.
public enum GitHubSource: ApprovalSource {
    /// The vocabulary's name in facts.
    public static let vocabulary = "github"

    /// Reads one record.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        WebhookRecord.read(record, configuration, as: vocabulary) { vendor throws(SourceFault) in
            guard let event = vendor.header("x-github-event") else {
                throw SourceFault(.missingMember, field: "X-GitHub-Event", "the header names the kind of event")
            }
            guard let delivery = vendor.header("x-github-delivery"),
                delivery.utf8.count <= configuration.limits.maximumIdentifierBytes
            else {
                throw SourceFault(.missingMember, field: "X-GitHub-Delivery", "the header names the delivery")
            }
            switch event {
            case "deployment_review":
                return try GitHubEvent(vendor, delivery).checkedForOwner { event throws(SourceFault) in
                    try event.review()
                }
            case "deployment_protection_rule":
                return try GitHubEvent(vendor, delivery).checkedForOwner { event throws(SourceFault) in event.question()
                }
            default: return vendor.ignored(.notADecision, eventID: delivery)
            }
        }
    }

    /// The attempt that an approval is bound to; `nil` for an approval that is none of a deployment's.
    static func runAttempt(of id: ApprovalID) -> Int64? {
        let parts = id.rawValue.split(separator: "/", maxSplits: 7)
        guard parts.count == 8, parts[0] == "github", parts[3] == "run", parts[6] == "environment" else { return nil }
        return Int64(parts[5])
    }
}

/// One delivery.
private struct GitHubEvent {
    private let vendor: WebhookRecord
    private let delivery: String
    /// `owner/name` in lower case.
    private let repository: String?
    private let owner: String?

    init(_ vendor: WebhookRecord, _ delivery: String) {
        self.vendor = vendor
        self.delivery = delivery
        let name = vendor.identifier(vendor.value["repository"]?["full_name"]).map { TextRules.folded($0) }
        let parts = name?.split(separator: "/", omittingEmptySubsequences: false) ?? []
        let isName = parts.count == 2 && parts.allSatisfy { TextRules.isWord(String($0)) }
        repository = isName ? name : nil
        owner = isName ? String(parts[0]) : nil
    }

    func checkedForOwner(
        _ body: (GitHubEvent) throws(SourceFault) -> [Fact]
    ) throws(SourceFault) -> [Fact] {
        guard let owner else { return vendor.rejected(.tenantMismatch, eventID: delivery) }
        guard vendor.configuration.tenants.contains(owner) else {
            return vendor.rejected(.unknownTenant, eventID: delivery)
        }
        return try body(self)
    }

    /// People and systems that opened and answer a review.
    func review() throws(SourceFault) -> [Fact] {
        let value = vendor.value
        let run = value["workflow_run"]
        guard let repository, let runID = Self.number(run?["id"]), let attempt = Self.number(run?["run_attempt"]),
            let commit = vendor.pathPart(run?["head_sha"])
        else { return vendor.rejected(.noRequestID, eventID: delivery) }
        let jobs = try jobs()
        var facts: [Fact] = []
        for (name, jobs) in jobs {
            let path = "\(repository)/run/\(runID)/\(attempt)"
            var fact = question(path, environment: name, commit: commit)
            fact.occurredAt = jobs.compactMap { Self.time($0["updated_at"]) }.max() ?? Self.time(run?["updated_at"])
            guard fact.occurredAt != nil else {
                return vendor.rejected(.unparseableTime, eventID: delivery)
            }
            // Neither who wrote the change nor who started the run may approve it.
            fact.requester = user(run?["triggering_actor"]) ?? user(run?["actor"])
            fact.subject = user(run?["actor"]) ?? fact.requester
            fact.approverJustification = TextRules.justification(value["comment"]?.string)
            facts.append(fact.with(content()))
        }
        return facts.isEmpty ? vendor.rejected(.malformed, eventID: delivery) : facts
    }

    private func content() -> Fact.Content {
        let approver = user(vendor.value["approver"])
        switch vendor.value["action"]?.string {
        case "approved": return approver == nil ? WhyCode.noApprover.rejected : .decisionApproved(approver: approver)
        case "rejected": return .decisionDenied(approver: approver)
        // What was asked, and every answer that this version does not know, holds.
        default: return .requestOpened
        }
    }

    /// The environments of the event with the jobs that wait for them.
    private func jobs() throws(SourceFault) -> [(environment: String, jobs: [JSONValue])] {
        var all = try vendor.list(vendor.value["workflow_job_runs"], "workflow_job_runs")
        if let one = vendor.value["workflow_job_run"], one.object != nil { all.append(one) }
        var found: [(environment: String, jobs: [JSONValue])] = []
        for job in all {
            guard let name = vendor.identifier(job["environment"]) else { continue }
            if let known = found.firstIndex(where: { TextRules.folded($0.environment) == TextRules.folded(name) }) {
                found[known].jobs.append(job)
            } else {
                found.append((name, [job]))
            }
        }
        return found
    }

    /// Somebody asks whether a deployment may go on. The run is in the address for the answer alone, its attempt nowhere.
    func question() -> [Fact] {
        let value = vendor.value
        guard let repository, let environment = vendor.identifier(value["environment"]),
            let run = Self.runID(in: value["deployment_callback_url"]?.string, of: repository)
        else { return vendor.rejected(.noRequestID, eventID: delivery) }
        guard let at = Self.time(value["deployment"]?["created_at"]) else {
            return vendor.rejected(.unparseableTime, eventID: delivery)
        }
        var fact = question(
            "\(repository)/run/\(run)", environment: environment, commit: vendor.pathPart(value["deployment"]?["sha"]))
        fact.occurredAt = at
        fact.requester = user(value["deployment"]?["creator"]) ?? user(value["sender"])
        return [fact]
    }

    private func question(_ path: String, environment: String, commit: String?) -> Fact {
        var fact = vendor.fact(.requestOpened, eventID: delivery)
        fact.approvalID = ApprovalID("github/\(path)/environment/\(TextRules.folded(environment))")
        fact.entitlement = Entitlement(
            kind: .githubEnvironment, id: "\(repository ?? "")#\(TextRules.folded(environment))", scope: commit,
            name: VendorText.text(.string(environment)))
        return fact
    }

    private func user(_ value: JSONValue?) -> Actor? {
        vendor.person(
            value?["id"], name: value?["login"], isSystem: value?["type"]?.string.map { $0 != "User" } ?? false)
    }

    private static func number(_ value: JSONValue?) -> Int64? {
        guard let number = value?.integer, number > 0 else { return nil }
        return number
    }

    private static func time(_ value: JSONValue?) -> Timestamp? {
        value?.string.flatMap { Timestamp(rfc3339: $0) }
    }

    /// The run of `…/repos/OWNER/NAME/actions/runs/ID/…`, when the repository is the event's own.
    private static func runID(in url: String?, of repository: String) -> Int64? {
        guard let url, url.utf8.count <= 1_024 else { return nil }
        let parts = TextRules.folded(url).split(separator: "/")
        guard let repos = parts.firstIndex(of: "repos"), parts.count > repos + 5, parts[repos + 3] == "actions",
            parts[repos + 4] == "runs", "\(parts[repos + 1])/\(parts[repos + 2])" == repository,
            let number = Int64(parts[repos + 5]), number > 0
        else { return nil }
        return number
    }
}
