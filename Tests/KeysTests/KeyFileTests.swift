import ClawWire
import Foundation
import Glibc
import Keys
import Testing

/// A ring of one key, for tests of its file.
private func load(
    _ path: String, state: KeyState = .active, links: SecretFile.Links = .withinDirectory
) throws -> KeyRing {
    try KeyRing.load(
        [KeyConfiguration(purpose: .token, location: .file(path), state: state, links: links)],
        required: state == .active ? [.token] : [], at: morning)
}

@Suite struct KeyFileTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    // RFC 8410 section 10.3: the same key without and with attributes and public key, and its public half (10.1).
    static let privateV1 = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
        -----END PRIVATE KEY-----

        """
    static let privateV2 = """
        -----BEGIN PRIVATE KEY-----
        MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
        oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
        Z9w7lshQhqowtrbLDFw4rXAxZuE=
        -----END PRIVATE KEY-----

        """
    static let publicKey = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
        -----END PUBLIC KEY-----

        """

    @Test(arguments: ["version 1", "version 2", "CR LF"]) func readsPublishedKeys(_ form: String) throws {
        let text =
            switch form {
            case "version 1": Self.privateV1
            case "version 2": Self.privateV2
            default: Self.privateV1.replacingOccurrences(of: "\n", with: "\r\n")
            }
        let path = try directory.write(text, to: "key.pem")
        let signer = try load(path).signer(for: .token, at: morning)
        let pub = try directory.write(Self.publicKey, to: "key.pub", mode: 0o644)
        let accepted = try load(pub, state: .verifyOnly(notAfter: morning.adding(seconds: 60)))
            .acceptedKeys(for: .token, at: morning)
        #expect(accepted.map(\.publicKey) == [signer.publicKey])
        #expect(signer.publicKey.bytes.prefix(4) == [0x19, 0xBF, 0x44, 0x09])
    }

    @Test func writesAndReadsBack() throws {
        let key = try KeyGenerator.generate(purpose: .receipt)
        let path = directory.file("receipt.pem")
        try key.writePrivateKey(to: path)
        try key.writePublicKey(to: directory.file("receipt.pub"))
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try load(path).signer(for: .token, at: morning).publicKey == key.publicKey)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == [
                "receipt.pem", "receipt.pub",
            ])
    }

    @Test func neverOverwrites() throws {
        let path = try directory.write("precious", to: "key.pem")
        let key = try KeyGenerator.generate(purpose: .token)
        #expect(keyError { try key.writePrivateKey(to: path) }?.code == .fileExists)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["key.pem"])
        #expect(keyError { try key.writePrivateKey(to: directory.file("none/key.pem")) }?.code == .writeFailed)
    }

    @Test(arguments: [0o640, 0o604, 0o660, 0o610, 0o601, 0o644, 0o777])
    func refusesOpenModes(_ mode: Int) throws {
        let path = try directory.write(Self.privateV1, to: "key.pem", mode: mode)
        let error = try #require(keyError { try load(path) })
        #expect(error.code == .openMode)
        #expect(error.subject == path)
        #expect(error.finding.contains("0" + String(mode, radix: 8)))
        #expect(error.remedy.contains("chmod 600 \(path)"))
    }

    @Test(arguments: [0o600, 0o400]) func acceptsPrivateModes(_ mode: Int) throws {
        _ = try load(try directory.write(Self.privateV1, to: "key.pem", mode: mode))
    }

    @Test func refusesPublicKeyOthersCanChange() throws {
        let path = try directory.write(Self.publicKey, to: "key.pub", mode: 0o664)
        #expect(keyError { try load(path, state: .retired) }?.code == .openMode)
    }

    @Test func refusesReadablePrivateKeyEvenForVerifying() throws {
        let path = try directory.write(Self.privateV1, to: "key.pem", mode: 0o644)
        #expect(keyError { try load(path, state: .retired) }?.code == .openMode)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give a file away"))
    func refusesAnotherOwner() throws {
        let path = try directory.write(Self.privateV1, to: "key.pem")
        let given = unsafe chown(path, 12_345, 12_345)
        try #require(given == 0)
        let error = try #require(keyError { try load(path) })
        #expect(error.code == .wrongOwner)
        #expect(error.finding.contains("12345"))
    }

    @Test func followsLinksWithinTheDirectoryOnly() throws {
        // The layout of a mounted secret: key.pem -> ..data/key.pem, ..data -> ..1/
        let files = FileManager.default
        try files.createDirectory(atPath: directory.file("keys/..1"), withIntermediateDirectories: true)
        try directory.write(Self.privateV1, to: "keys/..1/key.pem")
        try files.createSymbolicLink(atPath: directory.file("keys/..data"), withDestinationPath: "..1")
        try files.createSymbolicLink(atPath: directory.file("keys/key.pem"), withDestinationPath: "..data/key.pem")
        let inside = directory.file("keys/key.pem")
        _ = try load(inside)
        #expect(keyError { try load(inside, links: .none) }?.code == .symbolicLink)

        try directory.write(Self.privateV1, to: "elsewhere.pem")
        let outside = directory.file("keys/out.pem")
        try files.createSymbolicLink(atPath: outside, withDestinationPath: "../elsewhere.pem")
        let error = try #require(keyError { try load(outside) })
        #expect(error.code == .symbolicLink)
        #expect(error.finding.contains("elsewhere.pem"))
        _ = try load(outside, links: .anywhere)

        let circle = directory.file("circle")
        try files.createSymbolicLink(atPath: circle, withDestinationPath: "circle")
        #expect(keyError { try load(circle) }?.code == .symbolicLink)
    }

    @Test func refusesWhatIsNoRegularFile() throws {
        let pipe = directory.file("pipe")
        let made = unsafe mkfifo(pipe, 0o600)
        try #require(made == 0)
        #expect(keyError { try load(pipe) }?.code == .notRegularFile)
        #expect(keyError { try load(directory.path) }?.code == .notRegularFile)
        #expect(keyError { try load("/dev/null") }?.code == .notRegularFile)
        #expect(keyError { try load(directory.file("absent")) }?.code == .fileMissing)
        #expect(keyError { try load("") }?.code == .fileMissing)
        #expect(keyError { try load("a\0b") }?.code == .fileMissing)
    }

    @Test func boundsTheSize() throws {
        let path = try directory.write(Self.privateV1 + String(repeating: "\n", count: 20_000), to: "key.pem")
        #expect(keyError { try load(path) }?.code == .tooLarge)
    }

    private static func block(_ label: String, _ body: String) -> String {
        "-----BEGIN \(label)-----\n\(body)\n-----END \(label)-----\n"
    }

    static let refusals: [(name: String, text: String, code: KeyError.Code)] = [
        ("empty", "", .notPEM),
        ("blank", "\n\n", .notPEM),
        ("text", "not a key", .notPEM),
        ("text before", "my key:\n" + privateV1, .notPEM),
        ("two keys", privateV1 + privateV1, .notPEM),
        ("no end", privateV1.replacingOccurrences(of: "-----END PRIVATE KEY-----", with: ""), .notPEM),
        ("another end", privateV1.replacingOccurrences(of: "END PRIVATE", with: "END PUBLIC"), .notPEM),
        ("not base64", privateV1.replacingOccurrences(of: "VhC", with: "Vh*"), .notPEM),
        ("cut base64", privateV1.replacingOccurrences(of: "VhC", with: "Vh"), .notPEM),
        ("no content", block("PRIVATE KEY", ""), .notPEM),
        ("not DER", block("PRIVATE KEY", "AAAA"), .malformedKey),
        ("encrypted", block("ENCRYPTED PRIVATE KEY", "AAAA"), .encryptedKey),
        ("RSA, encrypted", block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nAAAA"), .unsupportedKey),
        ("OpenSSH", block("OPENSSH PRIVATE KEY", "AAAA"), .unsupportedKey),
        ("certificate", block("CERTIFICATE", "AAAA"), .unsupportedKey),
        ("public", publicKey, .unsupportedKey),
    ]

    @Test(arguments: refusals.indices) func refusesOtherContent(_ index: Int) throws {
        let (name, text, code) = Self.refusals[index]
        let path = try directory.write(text, to: "key.pem")
        let error = try #require(keyError { try load(path) }, "\(name)")
        #expect(error.code == code, "\(name)")
        #expect(error.subject == path)
        #expect(!error.isRetriable)
    }

    @Test func refusesEveryDamagedByte() throws {
        // Whatever byte before the seed is changed, and wherever the DER is cut, the key is refused. One change makes
        // another valid key: format version 1 allows all that version 0 does.
        let whole: [UInt8] = [
            0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
        ]
        let der = whole + Array(repeating: 7, count: 32)
        func pem(_ der: [UInt8]) -> String {
            "-----BEGIN PRIVATE KEY-----\n\(Data(der).base64EncodedString())\n-----END PRIVATE KEY-----\n"
        }
        let path = directory.file("key.pem")
        try directory.write(pem(der), to: "key.pem")
        _ = try load(path)
        for index in whole.indices {
            for value in [der[index] ^ 1, der[index] ^ 0x80, 0, 0xFF] where value != der[index] {
                var changed = der
                changed[index] = value
                try directory.write(pem(changed), to: "key.pem")
                let isVersion1 = index == 4 && value == 1
                #expect((keyError { try load(path) } == nil) == isVersion1, "byte \(index) = \(value)")
            }
        }
        for count in 1..<der.count {
            try directory.write(pem(Array(der.prefix(count))), to: "key.pem")
            #expect(keyError { try load(path) }?.code == .malformedKey, "\(count) bytes")
        }
        try directory.write(pem(der + [0]), to: "key.pem")
        #expect(keyError { try load(path) }?.code == .malformedKey)
    }

    @Test func refusesPublicHalfOfAnotherKey() throws {
        let text = Self.privateV2.replacingOccurrences(of: "gSEAGb9E", with: "gSEAGb9F")
        #expect(keyError { try load(try directory.write(text, to: "key.pem")) }?.code == .malformedKey)
    }
}

@Suite(.enabled(if: Tool.path("openssl") != nil, "openssl is not on PATH"))
struct OpenSSLInteroperationTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func readsItsKeysAndItVerifiesOurSignatures() throws {
        let path = directory.file("key.pem")
        try Tool.run("openssl", ["genpkey", "-algorithm", "ed25519", "-out", path])
        try Tool.run("openssl", ["pkey", "-in", path, "-pubout", "-out", directory.file("key.pub")])
        let signer = try load(path).signer(for: .token, at: morning)
        let message = Array("an approval goes in".utf8)
        try directory.write(message, to: "message")
        try directory.write(try signer.sign(message).bytes, to: "signature")
        let answer = try Tool.run(
            "openssl",
            [
                "pkeyutl", "-verify", "-pubin", "-inkey", directory.file("key.pub"), "-rawin", "-in",
                directory.file("message"), "-sigfile", directory.file("signature"),
            ])
        #expect(answer.contains("Success"))
        let pub = try load(directory.file("key.pub"), state: .verifyOnly(notAfter: morning.adding(seconds: 1)))
        #expect(pub.acceptedKeys(for: .token, at: morning).map(\.publicKey) == [signer.publicKey])
    }

    @Test func readsOurKeysAndSignsTheSame() throws {
        let key = try KeyGenerator.generate(purpose: .envelope)
        let path = directory.file("key.pem")
        try key.writePrivateKey(to: path)
        #expect(try Tool.run("openssl", ["pkey", "-in", path, "-pubout"]) == key.publicPEM)
        #expect(try Tool.run("openssl", ["pkey", "-in", path]) == key.privatePEM.textExposed())
        let message = Array("exactly one token comes out".utf8)
        try directory.write(message, to: "message")
        try Tool.run(
            "openssl",
            [
                "pkeyutl", "-sign", "-inkey", path, "-rawin", "-in", directory.file("message"), "-out",
                directory.file("s"),
            ])
        let signature = try load(path).signer(for: .token, at: morning).sign(message)
        #expect(try Array(Data(contentsOf: URL(fileURLWithPath: directory.file("s")))) == signature.bytes)
    }

    @Test(arguments: [
        (["-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048"], "RSA"),
        (["-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "elliptic-curve"),
        (["-algorithm", "x25519"], "X25519"), (["-algorithm", "ed448"], "Ed448"),
    ]) func namesOtherAlgorithms(_ arguments: [String], _ name: String) throws {
        let path = directory.file("key.pem")
        try Tool.run("openssl", ["genpkey"] + arguments + ["-out", path])
        let error = try #require(keyError { try load(path) })
        #expect(error.code == .unsupportedKey)
        #expect(error.finding.contains(name))
    }

    @Test func refusesEncryptedKeys() throws {
        let path = directory.file("key.pem")
        try Tool.run("openssl", ["genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:sesame", "-out", path])
        let error = try #require(keyError { try load(path) })
        #expect(error.code == .encryptedKey)
        #expect(error.remedy.contains("openssl pkey"))
    }
}
