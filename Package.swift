// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "clawgrant",
    products: [
        .executable(name: "clawgrant", targets: ["clawgrant"]),
        .library(name: "ClawWire", targets: ["ClawWire"]),
        .library(name: "ReceiptLog", targets: ["ReceiptLog"]),
        .library(name: "IssuanceRules", targets: ["IssuanceRules"]),
        .library(name: "ApprovalSources", targets: ["ApprovalSources"]),
        .library(name: "GrantVerifier", targets: ["GrantVerifier"]),
        .library(name: "ProofBundles", targets: ["ProofBundles"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    ],
    targets: [
        .systemLibrary(name: "CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CCryptoki"),

        .target(name: "Primitives"),
        .target(
            name: "ClawWire",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ]),
        .target(name: "ReceiptLog", dependencies: ["ClawWire"]),
        .target(name: "ProofBundles", dependencies: ["ClawWire", "ReceiptLog"]),
        .target(name: "SecurityEvents", dependencies: ["ClawWire", "ReceiptLog"]),
        .target(
            name: "IssuanceRules",
            dependencies: ["ClawWire", .product(name: "Yams", package: "Yams")]),
        .target(
            name: "ApprovalSources",
            dependencies: [
                "ClawWire", "IssuanceRules",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ]),
        .target(
            name: "Keys",
            dependencies: [
                "ClawWire", "CCryptoki", "Primitives", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ]),
        .target(name: "Postgres", dependencies: ["CLibPQ", "Primitives"]),
        .target(name: "Kafka", dependencies: ["CRdKafka", "Primitives"]),
        .target(
            name: "GrantVerifier",
            dependencies: ["CZlib", "ClawWire", "Kafka", "Primitives", "ReceiptLog"]),
        .target(name: "CrashPoints", dependencies: ["Primitives"]),
        .target(
            name: "GrantLedger",
            dependencies: ["CrashPoints", "Postgres", "ReceiptLog", "IssuanceRules", "ClawWire", "Primitives"]),
        .target(
            name: "GrantWorker",
            dependencies: [
                "CrashPoints", "GrantLedger", "GrantVerifier", "GraphConfirmation", "Kafka", "Keys", "ApprovalSources",
                "IssuanceRules", "Observability", "ReceiptLog", "ClawWire", "HTTPAnswers", "Primitives",
                "SecurityEvents", "Postgres",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Yams", package: "Yams"),
            ]),
        .target(
            name: "GrantChecker",
            dependencies: ["ClawWire", "ReceiptLog", "Kafka", "Postgres"]),
        .target(
            name: "HTTPAnswers",
            dependencies: [
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]),
        .target(
            name: "Fsck",
            dependencies: [
                "ClawWire", "Kafka", "Postgres",
            ]),
        .target(
            name: "HTTPService",
            dependencies: [
                "Observability", "Primitives",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdHTTP2", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ]),
        .target(
            name: "WebhookBridge",
            dependencies: [
                "ApprovalSources", "ClawWire", "HTTPService", "IssuanceRules", "Kafka", "Observability", "Primitives",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ]),
        .target(
            name: "BrokerTokens",
            dependencies: [
                "ClawWire", "HTTPAnswers", "Kafka", "Keys",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        .target(
            name: "GraphConfirmation",
            dependencies: [
                "ApprovalSources", "ClawWire", "HTTPAnswers", "IssuanceRules", "Primitives",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        .target(
            name: "SecuritySinks",
            dependencies: [
                "CZlib", "ClawWire", "GrantLedger", "GrantWorker", "GraphConfirmation", "HTTPAnswers", "Kafka", "Keys",
                "Observability", "Postgres", "Primitives", "ReceiptLog", "SecurityEvents",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ]),
        .target(
            name: "IssuerAPI",
            dependencies: [
                "ApprovalSources", "ClawWire", "GrantLedger", "GrantVerifier", "GrantWorker", "HTTPService",
                "IssuanceRules", "Keys", "Observability", "Postgres", "Primitives", "ReceiptLog",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            resources: [.embedInCode("OpenAPI/openapi.yaml")]),
        .target(
            name: "Console",
            dependencies: [
                "ClawWire", "GrantLedger", "GrantWorker", "HTTPService", "IssuanceRules", "IssuerAPI", "Kafka", "Keys",
                "Observability", "Primitives", "ReceiptLog",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: [
                .embedInCode("Web/console.html"), .embedInCode("Web/console.css"), .embedInCode("Web/icon.svg"),
                .embedInCode("Web/dom.js"), .embedInCode("Web/feed.js"), .embedInCode("Web/views.js"),
                .embedInCode("Web/request.js"), .embedInCode("Web/stop.js"), .embedInCode("Web/start.js"),
            ]),
        .target(
            name: "Observability",
            dependencies: [
                "ClawWire", "HTTPAnswers", "Primitives",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        .target(
            name: "Simulation",
            dependencies: [
                "ApprovalSources", "ClawWire", "CrashPoints", "Fsck", "GrantLedger", "GrantWorker", "IssuanceRules",
                "Kafka", "Keys",
                "Postgres", "Primitives", "ReceiptLog",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .executableTarget(
            name: "clawgrant-sim",
            dependencies: [
                "ClawWire", "Simulation",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .target(name: "OpenClaw", dependencies: ["ClawWire"]),
        .target(name: "CLinux"),
        .target(name: "DevStack", dependencies: ["CLinux", "Primitives"]),
        .target(
            name: "Playground",
            dependencies: [
                "DevStack", "GrantWorker", "GrantLedger", "GrantChecker", "Kafka", "Keys", "ApprovalSources",
                "IssuanceRules", "ReceiptLog", "ClawWire", "Postgres", "Primitives",
            ]),
        .target(
            name: "GrantBench",
            dependencies: [
                "Playground", "GrantChecker", "GrantWorker", "GrantLedger", "DevStack", "Kafka", "Postgres",
                "ApprovalSources", "IssuanceRules", "ReceiptLog", "ClawWire", "Primitives",
            ],
            path: "Benchmarks/GrantBench"),
        .target(
            name: "GrantDemo",
            dependencies: [
                "Playground", "DevStack", "GrantChecker", "ApprovalSources", "IssuanceRules", "Kafka", "ReceiptLog",
                "ClawWire", "Primitives",
            ]),
        .target(
            name: "Chaos",
            dependencies: [
                "Playground", "DevStack", "GrantChecker", "ApprovalSources", "IssuanceRules", "Kafka", "Postgres",
                "ClawWire", "Primitives",
            ]),
        .executableTarget(
            name: "clawgrant",
            dependencies: [
                "ApprovalSources", "BrokerTokens", "CLinux", "Chaos", "ClawWire", "CrashPoints", "DevStack", "Fsck",
                "GrantBench",
                "GrantDemo", "GrantLedger", "GrantVerifier", "GrantWorker", "HTTPAnswers", "HTTPService",
                "IssuanceRules", "Kafka", "Keys", "OpenClaw", "Playground", "Postgres", "Primitives", "ProofBundles",
                "ReceiptLog", "SecurityEvents", "WebhookBridge", "SecuritySinks", "IssuerAPI", "Console",
                "Observability",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),

        .target(name: "CPeerCrypto", path: "Fuzzing/CPeerCrypto", linkerSettings: [.linkedLibrary("crypto")]),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "ApprovalSources", "CPeerCrypto", "ClawWire", "Fsck", "GrantVerifier", "IssuanceRules", "Keys",
                "OpenClaw", "ProofBundles", "ReceiptLog", "SecurityEvents",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            path: "Fuzzing/FuzzTargets"),
        .target(
            name: "SurfaceTargets",
            dependencies: [
                "FuzzTargets", "ApprovalSources", "BrokerTokens", "ClawWire", "Console", "GrantLedger", "GrantWorker",
                "GraphConfirmation", "IssuanceRules", "IssuerAPI", "Kafka", "Observability", "SecuritySinks",
                "WebhookBridge",
            ],
            path: "Fuzzing/SurfaceTargets"),
        .executableTarget(
            name: "clawgrant-verdicts",
            dependencies: ["FuzzTargets", "ApprovalSources", "ClawWire", "IssuerAPI", "OpenClaw"],
            path: "Fuzzing/clawgrant-verdicts"),

        .target(name: "TestSupport", dependencies: ["ClawWire", "ReceiptLog"], path: "Tests/TestSupport"),
        .target(
            name: "FsckCorruptions", dependencies: ["Fsck", "ClawWire", "ReceiptLog"], path: "Tests/FsckCorruptions"),
        .executableTarget(
            name: "fsck-corruptions", dependencies: ["FsckCorruptions"], path: "Tests/CorruptionFolder"),
        .target(
            name: "GraphDouble",
            dependencies: [
                "ClawWire", "Primitives",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Tests/GraphDouble"),
        .target(
            name: "StubbornServer",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ], path: "Tests/StubbornServer"),
        .testTarget(name: "PrimitivesTests", dependencies: ["Primitives"]),
        .testTarget(
            name: "HTTPAnswersTests",
            dependencies: [
                "HTTPAnswers", "StubbornServer", .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]),
        .target(
            name: "SecureFront",
            dependencies: [
                "DevStack", "Primitives",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Tests/SecureFront"),
        .testTarget(
            name: "HTTPServiceTests",
            dependencies: [
                "HTTPService", "DevStack", "Primitives", "SecureFront",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        .testTarget(
            name: "BrokerTokensTests",
            dependencies: [
                "BrokerTokens", "ClawWire", "DevStack", "HTTPService", "Kafka", "Primitives", "SecureFront",
                "StubbornServer", .product(name: "Logging", package: "swift-log"),
            ]),
        .testTarget(
            name: "WebhookBridgeTests",
            dependencies: [
                "WebhookBridge", "ApprovalSources", "ClawWire", "DevStack", "GrantWorker", "HTTPService",
                "IssuanceRules", "Kafka", "Keys", "Playground", "Postgres", "Primitives", "SecureFront",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        .testTarget(
            name: "GraphConfirmationTests",
            dependencies: [
                "GraphConfirmation", "ApprovalSources", "ClawWire", "GraphDouble", "IssuanceRules", "Primitives",
                "StubbornServer",
            ]),
        .testTarget(name: "OpenClawTests", dependencies: ["OpenClaw", "ClawWire", "TestSupport"]),
        .testTarget(
            name: "ConformanceTests",
            dependencies: [
                "ApprovalSources", "ClawWire", "DevStack", "GrantLedger", "GrantVerifier", "GrantWorker",
                "IssuanceRules", "Kafka", "Keys", "Playground", "ReceiptLog", "SecurityEvents", "SecuritySinks",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            exclude: ["FirstVersions", "Peers"]),
        .target(
            name: "CollectorDoubles",
            dependencies: [
                "CZlib", "ClawWire", "HTTPService", "Primitives",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/CollectorDoubles"),
        .testTarget(
            name: "SecuritySinksTests",
            dependencies: [
                "SecuritySinks", "ApprovalSources", "ClawWire", "CollectorDoubles", "DevStack", "GrantLedger",
                "GrantWorker", "GraphConfirmation", "GraphDouble", "HTTPService", "IssuanceRules", "Kafka", "Keys",
                "Playground", "Postgres", "Primitives", "ReceiptLog", "SecureFront", "SecurityEvents", "StubbornServer",
                "TestSupport", .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        .testTarget(
            name: "IssuerAPITests",
            dependencies: [
                "IssuerAPI", "ApprovalSources", "ClawWire", "DevStack", "GrantLedger", "GrantVerifier", "GrantWorker",
                "HTTPService", "IssuanceRules", "Kafka", "Keys", "Observability", "Playground", "Postgres",
                "Primitives", "ReceiptLog", "SecureFront", "TestSupport",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            exclude: ["Peers"]),
        .testTarget(
            name: "ConsoleTests",
            dependencies: [
                "Console", "ApprovalSources", "ClawWire", "DevStack", "GrantWorker", "HTTPService", "IssuanceRules",
                "IssuerAPI", "Kafka", "Playground", "Postgres", "Primitives", "SecureFront",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ], exclude: ["browser.py", "browser_stop.py"]),
        .executableTarget(
            name: "metric-cost",
            dependencies: ["Observability", .product(name: "Metrics", package: "swift-metrics")],
            path: "Tests/MetricCost"),
        .executableTarget(
            name: "decision-cost",
            dependencies: ["ApprovalSources", "ClawWire", "GrantWorker", "IssuanceRules", "Kafka"],
            path: "Tests/DecisionCost"),
        .testTarget(name: "DecisionCostTests", dependencies: ["DevStack", "decision-cost"]),
        .testTarget(
            name: "ObservabilityTests",
            dependencies: [
                "Observability", "ApprovalSources", "ClawWire", "DevStack", "GrantChecker", "GrantWorker", "Kafka",
                "Playground", "Postgres", "Primitives", "StubbornServer", "metric-cost",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ]),
        .testTarget(
            name: "DeploymentTests",
            dependencies: [
                "clawgrant", "ClawWire", "DevStack", "GrantChecker", "GrantLedger", "IssuanceRules", "Kafka",
                "Playground", "Postgres",
            ]),
        .testTarget(name: "ChaosDriverTests", dependencies: ["Chaos", "clawgrant", "ClawWire", "DevStack"]),
        .testTarget(
            name: "SimulationTests",
            dependencies: [
                "clawgrant-sim", "CrashPoints", "Simulation", "ClawWire", "DevStack", "GrantLedger", "GrantWorker",
                "IssuanceRules", "Postgres",
                "Primitives", "ReceiptLog",
            ]),
        .testTarget(name: "ClawWireTests", dependencies: ["ClawWire", "TestSupport"]),
        .testTarget(name: "ReceiptLogTests", dependencies: ["ReceiptLog", "ClawWire", "TestSupport"]),
        .testTarget(
            name: "ProofBundlesTests", dependencies: ["ProofBundles", "ClawWire", "ReceiptLog", "TestSupport"],
            exclude: ["Page/Samples", "Page/make_sample.py", "Samples"]),
        .testTarget(
            name: "SecurityEventsTests", dependencies: ["SecurityEvents", "ClawWire", "ReceiptLog", "TestSupport"]),
        .testTarget(
            name: "FuzzTargetsTests",
            dependencies: ["FuzzTargets", "SurfaceTargets", "DevStack", "TestSupport", "clawgrant-verdicts"],
            exclude: ["Seeds", "inventory.txt"]),
        .testTarget(
            name: "FsckTests",
            dependencies: [
                "Fsck", "FsckCorruptions", "fsck-corruptions", "ClawWire", "DevStack", "IssuanceRules", "Kafka",
                "Playground", "Postgres", "ReceiptLog",
            ]),
        .testTarget(name: "IssuanceRulesTests", dependencies: ["IssuanceRules", "ClawWire", "TestSupport"]),
        .testTarget(
            name: "ApprovalSourcesTests",
            dependencies: [
                "ApprovalSources", "IssuanceRules", "ClawWire", "TestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ]),
        .testTarget(name: "KeysTests", dependencies: ["Keys", "ClawWire"]),
        .testTarget(name: "DevStackTests", dependencies: ["DevStack", "Primitives"]),
        .testTarget(
            name: "PostgresTests",
            dependencies: [
                "Postgres", "DevStack", "Primitives",
            ]),
        .testTarget(
            name: "KafkaTests",
            dependencies: [
                "Kafka", "DevStack", "Primitives",
            ]),
        .testTarget(
            name: "GrantVerifierTests",
            dependencies: ["GrantVerifier", "ClawWire", "Kafka", "Primitives", "ReceiptLog", "TestSupport"]),
        .testTarget(
            name: "GrantLedgerTests",
            dependencies: [
                "GrantLedger", "DevStack", "IssuanceRules", "Postgres", "ReceiptLog", "ClawWire", "Primitives",
            ]),
        .testTarget(
            name: "GrantCheckerTests",
            dependencies: [
                "GrantChecker", "ClawWire", "Kafka", "Postgres", "ReceiptLog", "TestSupport",
            ]),
        .testTarget(
            name: "PlaygroundTests",
            dependencies: [
                "Playground", "BrokerTokens", "ClawWire", "DevStack", "GrantChecker", "GrantWorker", "IssuanceRules",
                "Kafka", "Postgres", "SecureFront",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .testTarget(
            name: "GrantWorkerTests",
            dependencies: [
                "CrashPoints", "GrantWorker", "GrantChecker", "GrantVerifier", "Playground", "DevStack",
                "ApprovalSources", "ClawWire",
                "GrantLedger", "GraphConfirmation", "GraphDouble", "IssuanceRules", "Kafka", "Keys", "Observability",
                "Postgres", "Primitives", "ReceiptLog", "StubbornServer",
                .product(name: "Logging", package: "swift-log"), .product(name: "Yams", package: "Yams"),
            ]),
        .testTarget(
            name: "CommandLineTests",
            dependencies: [
                "clawgrant", "ApprovalSources", "ClawWire", "DevStack", "GrantLedger", "GrantWorker", "HTTPService",
                "IssuanceRules", "WebhookBridge", "Kafka", "Keys", "Observability", "Playground", "Postgres",
                "Primitives", "ReceiptLog", "SecureFront", "SecurityEvents", "SecuritySinks",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        .testTarget(
            name: "DocumentationTests",
            dependencies: [
                "clawgrant", "ApprovalSources", "ClawWire", "DevStack", "GrantDemo", "GrantWorker", "IssuanceRules",
                "Observability", "Playground", "ReceiptLog",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Yams", package: "Yams"),
            ]),
    ]
)

// libFuzzer's program, `./dev fuzz`: it needs the sanitizer's runtime, so an ordinary build cannot link it.
if Context.environment["CLAWGRANT_FUZZ"] != nil {
    package.targets += [
        .target(name: "CFuzzDriver", path: "Fuzzing/CFuzzDriver"),
        .executableTarget(
            name: "clawgrant-fuzz", dependencies: ["CFuzzDriver", "FuzzTargets"], path: "Fuzzing/clawgrant-fuzz"),
        .executableTarget(
            name: "clawgrant-fuzz-surface", dependencies: ["CFuzzDriver", "FuzzTargets", "SurfaceTargets"],
            path: "Fuzzing/clawgrant-fuzz-surface"),
    ]
}

// Every target of ours is built the same way; docs/decisions/001-language-settings.md gives the reasons.
for target in package.targets where target.type != .system && target.type != .plugin {
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .strictMemorySafety(),
        .treatAllWarnings(as: .error),
    ]
}
