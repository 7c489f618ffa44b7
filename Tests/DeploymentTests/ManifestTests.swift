import ClawWire
import DevStack
import Foundation
import Testing

/// The files of deploy/, as far as they can be held against something without an engine or a cluster.
@Suite(.timeLimit(.minutes(10)))
struct ManifestTests {
    @Test func theManifestsKeepTheirRules() async throws {
        let ran = try await Ran.script("check_deploy.py")
        #expect(ran.code == 0, "\(ran.all)")
    }

    /// What is broken, how, and what the finding says of it.
    private static let breaks: [(file: String, from: String, to: String, finding: String)] = [
        ("kubernetes/base/deployment.yaml", "replicas: 3", "replicas: three", "is not of type 'integer'"),
        ("kubernetes/base/deployment.yaml", "minReadySeconds", "minReadySecond", "were unexpected"),
        ("kubernetes/base/deployment.yaml", "runAsNonRoot: true\n        runAsUser: 10001", "runAsUser: 0", "runAsNonRoot"),
        ("kubernetes/base/deployment.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem"),
        ("kubernetes/base/deployment.yaml", "capabilities: {drop: [ALL]}", "capabilities: {drop: []}", "drop ALL"),
        ("kubernetes/base/deployment.yaml", "image: clawgrant:0.1.0", "image: clawgrant:latest", "full version"),
        ("kubernetes/base/deployment.yaml", "path: /ready", "path: /live", "readinessProbe"),
        ("kubernetes/base/deployment.yaml", "seccompProfile: {type: RuntimeDefault}\n      topology", "seccompProfile: {type: Unconfined}\n      topology", "seccompProfile"),
        ("kubernetes/base/deployment.yaml", "automountServiceAccountToken: false", "automountServiceAccountToken: true", "token"),
        ("kubernetes/base/deployment.yaml", "{name: CLAWGRANT_HTTP_ISSUER, value: \"https://clawgrant.example\"}", "{name: X, valueFrom: {secretKeyRef: {name: a, key: b}}}", "secret in a variable"),
        ("kubernetes/base/deployment.yaml", "mountPath: /tmp", "mountPath: /etc/clawgrant/tmp", "lies within"),
        ("kubernetes/base/networkpolicy.yaml", "podSelector: {}", "podSelector: {matchLabels: {a: b}}", "denies everything"),
        ("kubernetes/base/networkpolicy.yaml", "port: 5432", "port: 5433", "use port 5432"),
        ("kubernetes/base/horizontalpodautoscaler.yaml", "stabilizationWindowSeconds: 600", "stabilizationWindowSeconds: 0", "too soon"),
        ("kubernetes/base/kustomization.yaml", "  - service.yaml\n", "", "leaves out service.yaml"),
        ("kubernetes/overlays/production/kustomization.yaml", "issuer.yaml", "issuers.yaml", "which is not there"),
        ("compose/compose.yaml", "restart: unless-stopped", "restarts: always", "were unexpected"),
        ("compose/compose.yaml", "postgres:15.14-bookworm", "postgres", "full version"),
        ("compose/compose.yaml", "read_only: true\n  cap_drop: [ALL]", "cap_drop: [ALL]", "read-only root"),
        ("compose/compose.yaml", "{condition: service_healthy}\n      migrate", "{condition: service_healthy}\n      migrates", "depends on migrates"),
        ("container/Containerfile", "USER 10001:10001", "USER root", "user given by a number"),
        ("container/Containerfile", "COPY Package.swift ./", "ADD https://example.org/x.tar.gz ./", "use COPY"),
        ("container/Containerfile", "swift:6.3.1-bookworm", "swift:latest", "full version"),
        ("container/Containerfile", "ENV TMPDIR=/tmp", "ENV DB_PASSWORD=x TMPDIR=/tmp", "secret in a layer"),
        ("container/Containerfile", "WORKDIR /source", "WORKDIR source", "hadolint"),
    ]

    @Test func eachRuleOfTheManifestsIsNoticedWhenBroken() async throws {
        let home = try TemporaryDirectory(prefix: "claw-manifests")
        defer { home.close() }
        // One tree with every fault would hide what a fault does alone; a tree for each is copied in a moment.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, fault) in Self.breaks.enumerated() {
                if index >= 2 { try await group.next() }
                group.addTask {
                    let folder = home.path("\(index)")
                    try await Ran.shell("cp -R \(Tree.path("deploy")) \(folder)")
                    let file = "\(folder)/\(fault.file)"
                    let text = try String(contentsOfFile: file, encoding: .utf8)
                    let broken = text.replacing(fault.from, with: fault.to, maxReplacements: 1)
                    #expect(broken != text, "\(fault.file) has no \(fault.from)")
                    try broken.write(toFile: file, atomically: true, encoding: .utf8)
                    let ran = try await Ran.script("check_deploy.py", [folder])
                    #expect(ran.code == 1 && ran.output.contains(fault.finding), "\(fault): \(ran.all)")
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func theTopicsAreInStep() async throws {
        let ran = try await Ran.clawgrant(
            ["topics", "export", "--format", "strimzi", "--standard", "--cluster", "claw", "--namespace", "kafka"])
        #expect(ran.code == 0, "\(ran.errors)")
        let present = try Tree.text("deploy/kubernetes/topics/topics.yaml")
        #expect(
            present == ran.output,
            "run clawgrant topics export --format strimzi --standard --namespace kafka > deploy/kubernetes/topics/topics.yaml")
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
                ("/run/secrets", "\(folder)/secrets"),
            ], in: folder)
        let compose = try Tree.text("deploy/compose/compose.yaml")
        for secret in ["token-key", "receipt-key", "envelope-key", "token-id", "sealing", "database-password"] {
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
        try await Ran.shell("chmod 755 \(home.path) && \(Tree.path("deploy/container/collect-rootfs")) \(program) \(root)")
        let files = try await Ran.shell("cd \(root) && find . -type f | sort").output
        Attachment.record(files, named: "rootfs.txt")
        #expect(!files.contains("/sh\n") && !files.contains("/bash\n") && !files.contains("apt"))
        let again = try await Ran.run(Tree.path("deploy/container/collect-rootfs"), [program, root])
        #expect(again.code == 1)
        guard getuid() == 0 else { return }
        let ran = try await Ran.run(
            "/usr/sbin/chroot", ["--userspec=10001:10001", root, "/usr/bin/clawgrant", "--version"])
        #expect(ran.code == 0 && !ran.output.isEmpty, "\(ran.all)")
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
                "/usr/bin/systemd-analyze", ["security", "--offline=true", "--no-pager", "--threshold=15", home.path(unit)])
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
