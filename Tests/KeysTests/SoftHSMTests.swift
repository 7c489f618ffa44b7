import ClawWire
import Foundation
import Glibc
import Keys
import Testing

/// Two tokens of SoftHSM in a directory of their own, shared by the suite: a module is initialised once for a process.
private final class SoftToken: Sendable {
    static let modulePath = [
        "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
    ].first { FileManager.default.fileExists(atPath: $0) }
    static let isInstalled = modulePath != nil && Tool.path("softhsm2-util") != nil && Tool.path("pkcs11-tool") != nil
    static let shared = Result { try SoftToken() }

    /// A static is never released, so its directory goes when the process does.
    private static let removesDirectoryAtExit: Void = {
        atexit { try? FileManager.default.removeItem(atPath: SoftToken.shared.get().directory.path) }
    }()

    let directory: TemporaryDirectory
    let imported: GeneratedKey
    let module: String

    private init() throws {
        _ = Self.removesDirectoryAtExit
        module = try #require(Self.modulePath)
        directory = try TemporaryDirectory()
        imported = try KeyGenerator.generate(purpose: .token)
        try FileManager.default.createDirectory(
            atPath: directory.file("tokens"), withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let configuration = try directory.write(
            "directories.tokendir = \(directory.file("tokens"))\nobjectstore.backend = file\nlog.level = ERROR\n",
            to: "softhsm2.conf")
        // SoftHSM knows no other way to be told; nothing else in this process reads or sets this variable.
        unsafe setenv("SOFTHSM2_CONF", configuration, 1)
        try directory.write("1234\n", to: "pin")
        try directory.write("9999\n", to: "wrong-pin")
        let environment = ["SOFTHSM2_CONF": configuration]
        for label in ["claw-issuer", "claw-spare", "claw-lost", "claw-twin", "claw-twin"] {
            try Tool.run(
                "softhsm2-util",
                ["--init-token", "--free", "--label", label, "--pin", "1234", "--so-pin", "12345678"],
                environment: environment)
        }
        try imported.writePrivateKey(to: directory.file("imported.pem"))
        for label in ["claw-issuer", "claw-lost"] {
            try Tool.run(
                "softhsm2-util",
                [
                    "--import", directory.file("imported.pem"), "--token", label, "--label", "imported", "--id", "0A01",
                    "--pin", "1234",
                ], environment: environment)
        }
        let tool = ["--module", module, "--token-label", "claw-issuer", "--login", "--pin", "1234", "--keypairgen"]
        for (type, label, id) in [
            ("EC:edwards25519", "receipts", "0B"), ("EC:prime256v1", "p256", "0C"), ("EC:edwards25519", "double", "0D"),
            ("EC:edwards25519", "double", "0E"),
        ] {
            try Tool.run(
                "pkcs11-tool", tool + ["--key-type", type, "--label", label, "--id", id], environment: environment)
        }
    }

    func key(
        _ key: PKCS11Location.KeyName, token: String = "claw-issuer", pin: String = "pin", purpose: KeyPurpose = .token,
        module: String? = nil
    ) -> KeyConfiguration {
        KeyConfiguration(
            purpose: purpose,
            location: .pkcs11(
                PKCS11Location(
                    modulePath: module ?? self.module, tokenLabel: token, key: key, pinFile: directory.file(pin))))
    }

    func refusal(_ configuration: KeyConfiguration) -> KeyError? {
        keyError { try KeyRing.load([configuration], required: [], at: morning) }
    }
}

@Suite(
    .serialized,
    .enabled(if: SoftToken.isInstalled, "softhsm2-util, pkcs11-tool or the SoftHSM module is not installed"))
struct SoftHSMTests {
    private let token: SoftToken

    init() throws { token = try SoftToken.shared.get() }

    @Test func signsAsTheImportedSoftwareKeyDoes() throws {
        let ring = try KeyRing.load(
            [
                token.key(.label("imported")), token.key(.id([0x0B]), purpose: .receipt),
                KeyConfiguration(
                    purpose: .envelope, location: .file(try generatedFile()), state: .active),
            ], at: morning)
        try ring.selfTest()
        let software = try KeyRing.load(
            [KeyConfiguration(purpose: .token, location: .file(token.directory.file("imported.pem")))],
            required: [.token],
            at: morning)
        let (module, file) = (try ring.signer(for: .token, at: morning), try software.signer(for: .token, at: morning))
        #expect(module.publicKey == token.imported.publicKey)
        for message in [[], [0], Array("message".utf8), Array(repeating: 0x5A, count: 100_000)] as [[UInt8]] {
            #expect(try module.sign(message) == file.sign(message))
        }
        let receipts = try ring.signer(for: .receipt, at: morning)
        #expect(try receipts.publicKey.isValidSignature(receipts.sign([1, 2, 3]), for: [1, 2, 3]))
        #expect(ring.usage()[module.publicKey.kid] == 6)
    }

    private func generatedFile() throws -> String {
        let path = token.directory.file("envelope-\(UUID().uuidString).pem")
        try KeyGenerator.generate(purpose: .envelope).writePrivateKey(to: path)
        return path
    }

    @Test func signsFromManyThreads() throws {
        let ring = try KeyRing.load([token.key(.label("receipts"))], required: [.token], at: morning)
        let signer = try ring.signer(for: .token, at: morning)
        let expected = try signer.sign([7])
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<50 { #expect((try? signer.sign([7])) == expected) }
        }
        #expect(ring.usage()[signer.publicKey.kid] == 401)
    }

    @Test func findsTheKeyAgainAfterItsConnectionIsGone() throws {
        let ring = try KeyRing.load([token.key(.label("imported"))], required: [.token], at: morning)
        let signer = try ring.signer(for: .token, at: morning)
        let before = try signer.sign([1])
        try closeAllSessions()
        #expect(try signer.sign([1]) == before)

        // A PIN that has become wrong meanwhile is tried once and never again.
        try token.directory.write("9999\n", to: "pin")
        defer { _ = try? token.directory.write("1234\n", to: "pin") }
        try closeAllSessions()
        #expect(keyError { try signer.sign([1]) }?.code == .pinRefused)
        try token.directory.write("1234\n", to: "pin")
        #expect(keyError { try signer.sign([1]) }?.code == .pinRefused)
    }

    @Test func waitsForATokenThatIsGone() throws {
        let ring = try KeyRing.load(
            [token.key(.label("imported"), token: "claw-lost")], required: [.token], at: morning)
        let signer = try ring.signer(for: .token, at: morning)
        try closeAllSessions("claw-lost")
        try Tool.run("softhsm2-util", ["--delete-token", "--token", "claw-lost"])
        let error = try #require(keyError { try signer.sign([1]) })
        #expect(error.code == .moduleFailed)
        #expect(error.isRetriable)
    }

    /// Closes every session of a token, as a restarted device would, by the module's own function.
    private func closeAllSessions(_ tokenLabel: String = "claw-issuer") throws {
        let slots = try Tool.run("pkcs11-tool", ["--module", token.module, "--list-token-slots"])
        let lines = slots.split(separator: "\n")
        let label = try #require(lines.firstIndex { $0.contains("token label") && $0.contains(tokenLabel) })
        let slotLine = try #require(lines[..<label].last { $0.hasPrefix("Slot ") })
        let number = try #require(
            slotLine.firstRange(of: "(0x").map { slotLine[$0.upperBound...].prefix { $0 != ")" } })
        let slot = try #require(UInt(number, radix: 16))
        guard let library = unsafe dlopen(token.module, RTLD_NOW | RTLD_NOLOAD),
            let symbol = unsafe dlsym(library, "C_CloseAllSessions")
        else { throw Tool.Failure(description: "the module is not loaded") }
        let closeAll = unsafe unsafeBitCast(symbol, to: (@convention(c) (UInt) -> UInt).self)
        #expect(closeAll(slot) == 0)
    }

    @Test func namesWhatIsMissing() throws {
        let cases: [(KeyConfiguration, KeyError.Code, String)] = [
            (token.key(.label("imported"), token: "nobody"), .tokenNotFound, "no token"),
            (token.key(.label("imported"), token: "claw-twin"), .tokenNotFound, "2 tokens"),
            (token.key(.label("absent")), .keyNotFound, "no such private key"),
            (token.key(.id([0xFF])), .keyNotFound, "no such private key"),
            (token.key(.label("double")), .keyNotFound, "several"),
            (token.key(.label("p256")), .unsupportedKey, "Edwards"),
            (token.key(.label("imported"), token: "claw-spare", pin: "wrong-pin"), .pinRefused, "CKR_PIN_INCORRECT"),
            (token.key(.label("imported"), token: "claw-spare", pin: "absent"), .fileMissing, "no such file"),
            (token.key(.label("imported"), module: "/absent/module.so"), .moduleUnavailable, "No such file"),
            (token.key(.label("imported"), module: "libsofthsm2.so"), .moduleUnavailable, "absolute"),
            (token.key(.label("imported"), module: token.directory.file("pin")), .moduleUnavailable, "loaded"),
        ]
        for (configuration, code, finding) in cases {
            let error = try #require(token.refusal(configuration))
            #expect(error.code == code)
            #expect(error.finding.contains(finding), "\(error)")
            #expect(!error.description.contains("9999") && !error.description.contains("1234"))
        }
    }

    @Test func refusesLibrariesThatAreNoModules() throws {
        let library = try #require(
            ["/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6", "/lib64/libm.so.6"].first {
                FileManager.default.fileExists(atPath: $0)
            })
        let error = try #require(token.refusal(token.key(.label("imported"), module: library)))
        #expect(error.code == .moduleUnavailable)
        #expect(error.finding.contains("C_GetFunctionList"))
    }
}
