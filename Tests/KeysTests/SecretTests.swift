import ClawWire
import Foundation
import Keys
import Testing

@Suite struct SecretTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func loadsBytesAndLines() throws {
        let path = try directory.write("sesame \r\n", to: "secret")
        #expect(try SecretFile.load(path).copyExposed() == Array("sesame \r\n".utf8))
        #expect(try SecretFile.load(path, form: .line).textExposed() == "sesame ")
        try directory.write([0xFF, 0x0A, 0x0A], to: "secret")
        #expect(try SecretFile.load(path, form: .line).copyExposed() == [0xFF, 0x0A])
        #expect(try SecretFile.load(path, form: .line).textExposed() == nil)
    }

    @Test func boundsTheLength() throws {
        let path = try directory.write(Array(repeating: 1, count: 32), to: "secret")
        _ = try SecretFile.load(path, length: 32...32)
        #expect(keyError { try SecretFile.load(path, length: 33...64) }?.code == .tooShort)
        #expect(keyError { try SecretFile.load(path, length: 1...31) }?.code == .tooLarge)
        #expect(keyError { try SecretFile.load(path, length: 1...8) }?.code == .tooLarge)
        let empty = try directory.write("\n", to: "empty")
        #expect(keyError { try SecretFile.load(empty, form: .line) }?.code == .tooShort)
    }

    @Test func checksModes() throws {
        let path = try directory.write("sesame", to: "secret", mode: 0o640)
        let error = try #require(keyError { try SecretFile.load(path) })
        #expect(error.code == .openMode)
        #expect(error.description.contains("chmod 600 \(path)"))
    }

    @Test func isNeverPrinted() throws {
        struct Holder { let password: SecretBytes }
        let secret = SecretBytes(copying: Array("sesame".utf8))
        let seed: [UInt8] = Array(0x61..<0x81)
        let signer = try #require(SeedSigner(seed: seed))
        let configuration = KeyConfiguration(purpose: .token, location: .file("/keys/token.pem"))
        let ring = try KeyRing([LoadedKey(configuration, signer: signer)], required: [.token], at: morning)
        let generated = try KeyGenerator.generate(purpose: .token)
        let privateLine = try #require(generated.privatePEM.textExposed()?.split(separator: "\n")[1])
        let values: [Any] = [
            secret, Holder(password: secret), [secret], Optional(secret) as Any, signer, ring,
            try ring.signer(for: .token, at: morning), ring.inventory(), generated,
        ]
        for value in values {
            var text = String(describing: value) + String(reflecting: value)
            dump(value, to: &text)
            for forbidden in ["sesame", "115, 101", "abcdefgh", "97, 98, 99", String(privateLine)] {
                #expect(!text.contains(forbidden))
            }
        }
        #expect("\(secret)" == "<secret>")
    }

    @Test func lendsItsBytes() {
        let secret = SecretBytes(copying: [1, 2, 3])
        #expect(secret.count == 3)
        #expect(unsafe secret.withUnsafeBytes { unsafe $0.reduce(0, +) } == 6)
        #expect(SecretBytes(copying: []).copyExposed() == [])
    }
}
