import ClawWire
public import GrantChecker
import Postgres

extension Playground {
    /// What the checker is told of this playground: where everything is, and the keys.
    ///
    /// - Throws: `PostgresError` when the connection keywords do not read.
    public func checkPlan() throws -> CheckPlan {
        var plan = CheckPlan(
            kafka: clientConfiguration, database: try PostgresConfiguration(uri: conninfo), logID: logID,
            logKeys: [keys.log], tokenKeys: [keys.token],
            inputs: [
                CheckPlan.Input(
                    topic: PlaygroundTopic.approvals, source: SourceName("approvals"), form: .cloudEvents),
                CheckPlan.Input(topic: PlaygroundTopic.requests, source: SourceName("requests"), form: .requests),
                CheckPlan.Input(topic: PlaygroundTopic.entra, source: SourceName("entra-pim"), form: .entraAudit),
            ])
        plan.inputs += options.vendors.sorted { $0.rawValue < $1.rawValue }.map {
            CheckPlan.Input(topic: $0.topic, source: $0.source, form: .vendor($0.checkedForm))
        }
        plan.jobKeys = [keys.job]
        plan.scopesOfActions = ["enable_elevated": ["control:sandbox:elevated"]]
        plan.plainJobClasses = [PlaygroundClass.sandbox.name]
        plan.files = workers.map(\.log)
        return plan
    }

    /// Checks everything the playground holds; all work must be done, see ``waitUntilSettled(waiting:within:)``.
    ///
    /// - Throws: what keeps topics or ledger from being read.
    public func check() async throws -> CheckReport { try await GrantChecker.check(try checkPlan()) }
}
