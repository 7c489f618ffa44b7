import ClawWire
import GrantLedger
import GrantWorker
import Kafka
import Logging
import Postgres
import Testing

@Suite("Settings from the environment")
struct ConfigurationEnvironmentTests {
    @Test("A variable overrides its setting, in the file or not")
    func overrides() throws {
        let room = try ConfigurationRoom()
        let file = try room.read(
            ConfigurationSample.whole,
            environment: [
                "CLAWGRANT_DATABASE_CONNINFO": "host=/elsewhere dbname=other",
                "CLAWGRANT_KAFKA_PROPERTIES_BOOTSTRAP_SERVERS": "127.0.0.1:1",
                "CLAWGRANT_KAFKA_PROPERTIES_CLIENT_ID": "clawgrant-a",
                "CLAWGRANT_KAFKA_SECRET_FILES_SSL_KEY_PASSWORD": "secrets/database",
                "CLAWGRANT_KAFKA_TRANSACTIONS": "true", "CLAWGRANT_TOPICS_GRANTS": "other.grants",
                "CLAWGRANT_LIMITS_LANES": "7", "CLAWGRANT_LOG_LEVEL": "warning",
                "CLAWGRANT_LOG_ID": "other.example/log",
                "CLAWGRANT_WORKER_DRY_RUN": "false", "CLAWGRANT_RULES": "other.yaml",
                "CLAWGRANT_WPC_DIRECTORY": "/policies", "CLAWGRANT_SECRETS_SEALING_FILE": "other",
            ])
        let worker = file.worker
        #expect(worker.database.keywords == ["host": "/elsewhere", "dbname": "other"])
        #expect(worker.kafka["bootstrap.servers"] == "127.0.0.1:1")
        #expect(worker.kafka["client.id"] == "clawgrant-a")
        #expect(worker.kafka["ssl.key.password"] == "correct horse")
        #expect(worker.kafka["sasl.password"] == "hunter2")
        #expect(worker.usesTransactions)
        #expect(worker.outputs.name(.grants) == "other.grants")
        #expect(worker.limits.lanes == 7)
        #expect(file.log.level == .warning)
        #expect(worker.logID.rawValue == "other.example/log")
        #expect(!worker.isDryRun)
        #expect(worker.rulesFile == "\(room.directory)/other.yaml")
        #expect(worker.policies.directory == "/policies")
        #expect(worker.sealingSecretFile == "\(room.directory)/other")
    }

    @Test("A fault in a variable names the variable")
    func faults() throws {
        let room = try ConfigurationRoom()
        #expect(
            room.problems(
                ConfigurationSample.least,
                environment: ["CLAWGRANT_LIMITS_LANES": "many", "CLAWGRANT_LOG_FORMAT": "jason"])
                == [
                    "environment variable CLAWGRANT_LIMITS_LANES: limits.lanes: found \"many\", expected a whole number from 1 "
                        + "to 64",
                    "environment variable CLAWGRANT_LOG_FORMAT: log.format: found \"jason\", expected one of text, json; did "
                        + "you mean \"json\"?",
                ])
    }

    @Test("A misspelt variable of a section is refused; variables of others are not ours")
    func misspelt() throws {
        let room = try ConfigurationRoom()
        let problems = room.problems(
            ConfigurationSample.least,
            environment: [
                "CLAWGRANT_DATABASE_CONINFO": "host=/x", "CLAWGRANT_SHARED": "/x", "CLAWGRANT_CONFIG": "x",
                "CLAWGRANT_DATABASE_SERVICE_HOST": "10.0.0.1", "CLAWGRANT_DATABASE_PORT_5432_TCP": "tcp://10.0.0.1",
                "PATH": "/bin",
            ])
        #expect(
            problems == [
                "environment variable CLAWGRANT_DATABASE_CONINFO: found no setting of that name, expected a setting of "
                    + "docs/configuration.md; did you mean \"CLAWGRANT_DATABASE_CONNINFO\"?"
            ])
    }

    @Test("Secrets are refused in variables as in the file")
    func secrets() throws {
        let room = try ConfigurationRoom()
        let problems = room.problems(
            ConfigurationSample.least,
            environment: [
                "CLAWGRANT_DATABASE_CONNINFO": "postgresql://claw:hunter2@db.harborline.example/claw",
                "CLAWGRANT_KAFKA_PROPERTIES_SASL_PASSWORD": "hunter2",
            ])
        #expect(problems.count == 2)
        #expect(problems.allSatisfy { !$0.contains("hunter2") })
        #expect(problems.contains { $0.contains("database.password_file") })
        #expect(problems.contains { $0.contains("kafka.secret_files.sasl.password") })
    }
}
