import GrantWorker
import Observability
import Testing

/// The sections `metrics` and `tracing`.
struct ConfigurationObservationTests {
    @Test func withoutSectionsThereAreDefaults() throws {
        let worker = try ConfigurationRoom().read(ConfigurationSample.least).worker
        #expect(worker.metrics == MetricsSettings())
        #expect(worker.metrics.interval == .seconds(10))
        #expect(worker.tracing == nil)
    }

    @Test func everySettingIsRead() throws {
        let room = try ConfigurationRoom()
        try room.write("secrets/collector", "Bearer hunter2\n")
        let yaml =
            ConfigurationSample.least + """

                metrics: {textfile: run/clawgrant.prom, interval_s: 30}
                tracing:
                  endpoint: https://collector.example:4318/v1/traces
                  ratio_per_mille: 25
                  queue: 4096
                  timeout_ms: 5000
                  header_files: {authorization: secrets/collector}
                """
        let worker = try room.read(yaml).worker
        #expect(worker.metrics.textfile == room.directory + "/run/clawgrant.prom")
        #expect(worker.metrics.interval == .seconds(30))
        let tracing = try #require(worker.tracing)
        #expect(tracing.exporter.endpoint == "https://collector.example:4318/v1/traces")
        #expect(tracing.ratioPerMille == 25)
        #expect(tracing.exporter.queueLength == 4_096)
        #expect(tracing.exporter.timeout == .seconds(5))
        #expect(tracing.exporter.headers["authorization"]?.reveal() == "Bearer hunter2")
        var dumped = ""
        dump(tracing, to: &dumped)
        #expect(!dumped.contains("hunter2"))
    }

    @Test func variablesOverride() throws {
        let environment = [
            "CLAWGRANT_METRICS_INTERVAL_S": "5", "CLAWGRANT_TRACING_ENDPOINT": "http://127.0.0.1:4318/v1/traces",
        ]
        let worker = try ConfigurationRoom().read(ConfigurationSample.least, environment: environment).worker
        #expect(worker.metrics.interval == .seconds(5))
        #expect(worker.tracing?.exporter.endpoint == "http://127.0.0.1:4318/v1/traces")
    }

    @Test(arguments: [
        ("metrics: {textfile: run/metrics.txt}", "metrics.textfile"),
        ("metrics: {interval_s: 0}", "metrics.interval_s"),
        ("metrics: {intervall_s: 1}", "did you mean \"interval_s\""),
        ("tracing: {ratio_per_mille: 5}", "tracing.endpoint"),
        ("tracing: {endpoint: \"http://collector.example/v1/traces\"}", "tracing.endpoint"),
        ("tracing: {endpoint: \"http://127.0.0.1.example/v1/traces\"}", "tracing.endpoint"),
        ("tracing: {endpoint: \"https://c.example\", ratio_per_mille: 1001}", "tracing.ratio_per_mille"),
        ("tracing: {endpoint: \"https://c.example\", header_files: {authorization: nowhere}}", "header_files"),
        ("tracing: {endpoint: \"https://c.example\", header_files: {\"bad name\": secrets/sasl}}", "header_files"),
    ])
    func whatIsWrongIsSaid(_ section: String, _ place: String) throws {
        let problems = try ConfigurationRoom().problems(ConfigurationSample.least + "\n" + section + "\n")
        #expect(problems.count == 1 && problems.allSatisfy { $0.contains(place) }, "\(problems)")
    }
}
