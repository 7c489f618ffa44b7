import ClawWire
import DevStack
import Foundation
import Testing

/// The files of deploy/, as far as they can be held against something without an engine or a cluster.
@Suite(.timeLimit(.minutes(10)))
struct ManifestTests {
    @Test(.enabled(if: Tree.hasTools, "./dev test installs what it needs"))
    func theManifestsKeepTheirRules() async throws {
        let ran = try await Ran.script("check_deploy.py")
        #expect(ran.code == 0, "\(ran.all)")
    }

    /// A text of a file that is replaced, and what the finding must say then.
    private struct Fault {
        let file: String
        let from: String
        let to: String
        let finding: String

        init(_ file: String, _ from: String, to: String, finds finding: String) {
            self.file = file
            self.from = from
            self.to = to
            self.finding = finding
        }
    }

    private static let deployment = "kubernetes/base/deployment.yaml"
    private static let compose = "compose/compose.yaml"
    private static let container = "container/Containerfile"

    private static let faults = [
        Fault(deployment, "replicas: 3", to: "replicas: three", finds: "is not of type 'integer'"),
        Fault(deployment, "minReadySeconds", to: "minReadySecond", finds: "unexpected"),
        Fault(deployment, "runAsNonRoot: true\n        runAsUser: 10001", to: "runAsUser: 0", finds: "runAsNonRoot"),
        Fault(
            deployment, "readOnlyRootFilesystem: true",
            to: "readOnlyRootFilesystem: false", finds: "readOnlyRootFilesystem"),
        Fault(deployment, "capabilities: {drop: [ALL]}", to: "capabilities: {drop: []}", finds: "drop ALL"),
        Fault(deployment, "image: clawgrant:0.1.0", to: "image: clawgrant:latest", finds: "full version"),
        Fault(deployment, "path: /ready", to: "path: /live", finds: "readinessProbe"),
        Fault(
            deployment, "seccompProfile: {type: RuntimeDefault}\n      topology",
            to: "seccompProfile: {type: Unconfined}\n      topology", finds: "seccompProfile"),
        Fault(
            deployment, "automountServiceAccountToken: false",
            to: "automountServiceAccountToken: true", finds: "token"),
        Fault(
            deployment, "{name: CLAWGRANT_HTTP_ISSUER, value: \"https://clawgrant.example\"}",
            to: "{name: X, valueFrom: {secretKeyRef: {name: a, key: b}}}", finds: "secret in a variable"),
        Fault(deployment, "mountPath: /tmp", to: "mountPath: /etc/clawgrant/tmp", finds: "lies within"),
        Fault(
            "kubernetes/base/networkpolicy.yaml", "podSelector: {}",
            to: "podSelector: {matchLabels: {a: b}}", finds: "denies everything"),
        Fault("kubernetes/base/networkpolicy.yaml", "port: 5432", to: "port: 5433", finds: "use port 5432"),
        Fault(
            "kubernetes/base/horizontalpodautoscaler.yaml", "stabilizationWindowSeconds: 600",
            to: "stabilizationWindowSeconds: 0", finds: "too soon"),
        Fault("kubernetes/base/kustomization.yaml", "  - service.yaml\n", to: "", finds: "leaves out service.yaml"),
        Fault(
            "kubernetes/overlays/production/kustomization.yaml", "issuer.yaml",
            to: "issuers.yaml", finds: "which is not there"),
        Fault(
            "kubernetes/overlays/production/clawgrant.yaml", "scopes: [metrics]",
            to: "scopes: [read]", finds: "answered 401"),
        Fault(
            "kubernetes/overlays/production/metrics.yaml", "serverName: issuer.harborline.example",
            to: "serverName: clawgrant.example", finds: "expect the certificate"),
        Fault(compose, "restart: unless-stopped", to: "restarts: always", finds: "unexpected"),
        Fault(compose, "postgres:15.14-bookworm", to: "postgres", finds: "full version"),
        Fault(compose, "read_only: true\n  cap_drop: [ALL]", to: "cap_drop: [ALL]", finds: "read-only root"),
        Fault(
            compose, "{condition: service_healthy}\n      migrate",
            to: "{condition: service_healthy}\n      migrates", finds: "depends on migrates"),
        Fault(compose, "127.0.0.1:8480:8480", to: "8480:8480", finds: "more than loopback"),
        Fault(compose, "127.0.0.1:8480:8480", to: "0.0.0.0:8480:8480", finds: "more than loopback"),
        Fault(compose, "127.0.0.1:8480:8480", to: "127.0.0.1:8481:8481", finds: "port of its surface"),
        Fault(compose, "/usr/bin/clawgrant, ready", to: "/usr/bin/clawgrant, --version", finds: "clawgrant ready"),
        Fault(compose, "enable_ip_masquerade: \"false\"", to: "enable_ip_masquerade: \"true\"", finds: "can leave"),
        Fault("compose/clawgrant.yaml", "http:\n", to: "httpd:\n", finds: "no section http"),
        Fault(container, "USER 10001:10001", to: "USER root", finds: "user given by a number"),
        Fault(container, "COPY Package.swift ./", to: "ADD https://example.org/x.tar.gz ./", finds: "use COPY"),
        Fault(container, "swift:6.3.1-bookworm", to: "swift:latest", finds: "full version"),
        Fault(container, "ENV TMPDIR=/tmp", to: "ENV DB_PASSWORD=x TMPDIR=/tmp", finds: "secret in a layer"),
        Fault(container, "WORKDIR /source", to: "WORKDIR source", finds: "hadolint"),
    ]

    @Test(.enabled(if: Tree.hasTools, "./dev test installs what it needs"))
    func eachRuleOfTheManifestsIsNoticedWhenBroken() async throws {
        let home = try TemporaryDirectory(prefix: "claw-manifests")
        defer { home.close() }
        // One tree with every fault would hide what a fault does alone.
        var folders: [String] = []
        for (index, fault) in Self.faults.enumerated() {
            let folder = home.path("\(index)")
            try await Ran.shell("cp -R \(Tree.path("deploy")) \(folder)")
            let file = "\(folder)/\(fault.file)"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let broken = text.replacing(fault.from, with: fault.to, maxReplacements: 1)
            #expect(broken != text, "\(fault.file) has no \(fault.from)")
            try broken.write(toFile: file, atomically: true, encoding: .utf8)
            folders.append(folder)
        }
        let ran = try await Ran.script("check_deploy.py", folders, within: .seconds(300))
        let lines = ran.output.split(separator: "\n")
        for (folder, fault) in zip(folders, Self.faults) {
            let own = lines.filter { $0.hasPrefix("\(folder): ") }
            #expect(
                own.contains { $0.contains(fault.finding) },
                "\(fault): \(own.joined(separator: "\n")) \(ran.errors)")
        }
    }

    @Test func theTopicsAreInStep() async throws {
        let ran = try await Ran.clawgrant(
            ["topics", "export", "--format", "strimzi", "--standard", "--cluster", "claw", "--namespace", "kafka"])
        #expect(ran.code == 0, "\(ran.errors)")
        let present = try Tree.text("deploy/kubernetes/topics/topics.yaml")
        #expect(
            present == ran.output,
            "run clawgrant topics export --format strimzi --standard --namespace kafka > deploy/kubernetes/topics/topics.yaml"
        )
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/kubectl")))
    func theOverlayIsPutTogether() async throws {
        let ran = try await Ran.run(
            "/usr/bin/kubectl", ["kustomize", Tree.path("deploy/kubernetes/overlays/production")])
        #expect(ran.code == 0, "\(ran.errors)")
        #expect(ran.output.contains("https://issuer.harborline.example"))
        #expect(ran.output.contains("kind: PodMonitor"))
        #expect(!ran.output.contains("https://clawgrant.example"))
    }

    /// Looks at a configuration offline, with files in the places of those that a platform would mount.
    private func checkConfiguration(_ name: String, places: [(String, String)], in folder: String) async throws {
        var text = try Tree.text(name)
        for (from, to) in places { text = text.replacing(from, with: to) }
        try text.write(toFile: "\(folder)/clawgrant.yaml", atomically: true, encoding: .utf8)
        let ran = try await Ran.clawgrant(["check", "--offline", "--json", "--config", "\(folder)/clawgrant.yaml"])
        let errors = ran.output.split(separator: "\n").filter { $0.contains("\"error\"") && !$0.contains("summary") }
        #expect(errors.isEmpty, "\(errors.joined(separator: "\n")) \(ran.errors)")
        #expect(ran.output.contains("is well formed"), "\(ran.all)")
    }

    @Test func composeIsPreparedAndItsConfigurationHolds() async throws {
        let home = try TemporaryDirectory(prefix: "claw-compose")
        defer { home.close() }
        let folder = home.path("compose")
        try await Ran.shell(
            "cp -R \(Tree.path("deploy/compose")) \(folder) && cp \(Tree.path("deploy/examples/rules.yaml")) \(folder) && "
                + "\(folder)/prepare \(folder)")
        let before = try await Ran.shell("cd \(folder) && cat secrets/* | sha256sum; stat -c %a secrets/*").output
        #expect(before.split(separator: "\n").dropFirst().allSatisfy { $0 == "400" }, "\(before)")
        try await Ran.shell("\(folder)/prepare \(folder)")
        #expect(try await Ran.shell("cd \(folder) && cat secrets/* | sha256sum; stat -c %a secrets/*").output == before)
        // The files belong to the worker's user, who here is whoever runs the test.
        try await Ran.shell("chown $(id -u) \(folder)/secrets \(folder)/secrets/*")
        try await checkConfiguration(
            "deploy/compose/clawgrant.yaml",
            places: [
                ("/run/secrets/token-key", "\(folder)/secrets/token.pem"),
                ("/run/secrets/receipt-key", "\(folder)/secrets/receipt.pem"),
                ("/run/secrets/envelope-key", "\(folder)/secrets/envelope.pem"),
                ("/run/secrets/http-certificate", "\(folder)/secrets/http.pem"),
                ("/run/secrets/http-key", "\(folder)/secrets/http.key"),
                ("/run/secrets", "\(folder)/secrets"),
            ], in: folder)
        let compose = try Tree.text("deploy/compose/compose.yaml")
        for secret in [
            "token-key", "receipt-key", "envelope-key", "token-id", "sealing", "database-password", "http-key",
            "http-certificate", "operator-token-hashes",
        ] {
            #expect(compose.contains("  \(secret): {file: ./secrets/"), "\(secret)")
        }
    }

    @Test func theSitesConfigurationHolds() async throws {
        let home = try TemporaryDirectory(prefix: "claw-site")
        defer { home.close() }
        let folder = home.path("site")
        try await Ran.shell(
            """
            mkdir -p \(folder)/policies \(folder)/keys \(folder)/secrets
            cp \(Tree.path("deploy/kubernetes/overlays/production/rules.yaml")) \(folder)
            umask 077
            for purpose in token receipt envelope; do
                \(try #require(Tree.program)) keys generate --purpose $purpose --out \(folder)/keys/$purpose.pem
            done
            for name in token-id sealing; do \(try #require(Tree.program)) keys secret --out \(folder)/secrets/$name; done
            for name in kafka-password database-password; do echo placeholder >\(folder)/secrets/$name; done
            printf %s placeholder | sha256sum | cut -c1-64 >\(folder)/secrets/prometheus-token-hashes
            """)
        try await checkConfiguration(
            "deploy/kubernetes/overlays/production/clawgrant.yaml",
            places: [("/keys/", "\(folder)/"), ("/etc/clawgrant-policies", "\(folder)/policies")], in: folder)
        let rules = try Tree.text("deploy/kubernetes/overlays/production/rules.yaml")
        #expect(rules == (try Tree.text("deploy/examples/rules.yaml")), "the overlay's rules are the example's")
    }

    @Test func theRootOfTheImageRunsTheProgram() async throws {
        let home = try TemporaryDirectory(prefix: "claw-rootfs")
        defer { home.close() }
        let root = home.path("rootfs")
        let program = try #require(Tree.program)
        let collect = Tree.path("deploy/container/collect-rootfs")
        try await Ran.shell("chmod 755 \(home.path) && \(collect) \(program) \(root)")
        let files = try await Ran.shell("cd \(root) && find . -type f | sort").output
        Attachment.record(files, named: "rootfs.txt")
        #expect(!files.contains("/sh\n") && !files.contains("/bash\n") && !files.contains("apt"))
        let bare = try await Ran.run("/usr/bin/ldd", [program])
        let libraries = bare.output.split(separator: "\n").compactMap { line in
            line.split(separator: " ").first { $0.hasPrefix("/") }
        }
        #expect(libraries.count > 10)
        for library in libraries {
            #expect(FileManager.default.fileExists(atPath: root + library), "\(library)")
        }
        let again = try await Ran.run(collect, [program, root])
        #expect(again.code == 1)
        // What an engine would do: a root, a /proc, another user. Only root may, and not everywhere.
        let namespaces = ["--mount", "--pid", "--fork", "--mount-proc=\(root)/proc"]
        let mayTry = try await Ran.run("/usr/bin/unshare", namespaces + ["/bin/true"])
        guard mayTry.code == 0 else { return }
        let ran = try await Ran.run(
            "/usr/bin/unshare",
            namespaces + ["/usr/sbin/chroot", "--userspec=10001:10001", root, "/usr/bin/clawgrant", "--version"])
        #expect(ran.code == 0 && ran.output.first?.isNumber == true, "\(ran.all)")
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze")))
    func theUnitsAreVerifiedAndHardened() async throws {
        let home = try TemporaryDirectory(prefix: "claw-units")
        defer { home.close() }
        let program = try #require(Tree.program)
        for unit in ["clawgrant.service", "clawgrant-migrate.service"] {
            // What is verified is the unit; the program stands where the test has it.
            let text = try Tree.text("deploy/systemd/\(unit)").replacing("/usr/bin/clawgrant", with: program)
            try text.write(toFile: home.path(unit), atomically: true, encoding: .utf8)
            let verified = try await Ran.run("/usr/bin/systemd-analyze", ["verify", "--man=no", home.path(unit)])
            #expect(verified.code == 0 && !verified.all.contains(unit), "\(verified.all)")
            // In tenths: 15 is 1.5 of 10.
            let security = try await Ran.run(
                "/usr/bin/systemd-analyze",
                ["security", "--offline=true", "--no-pager", "--threshold=15", home.path(unit)])
            #expect(security.code == 0, "\(security.output.suffix(400))")
        }
        let open = try Tree.text("deploy/systemd/clawgrant.service").replacing("/usr/bin/clawgrant", with: program)
            .replacing("NoNewPrivileges=yes", with: "").replacing("CapabilityBoundingSet=\n", with: "")
            .replacing("SystemCallFilter=@system-service\n", with: "")
        try open.write(toFile: home.path("open.service"), atomically: true, encoding: .utf8)
        let security = try await Ran.run(
            "/usr/bin/systemd-analyze",
            ["security", "--offline=true", "--no-pager", "--threshold=15", home.path("open.service")])
        #expect(security.code != 0, "a unit without its fences is no better than the threshold")
    }
}
