import ClawWire
import Foundation
import Keys
import Testing

@testable import clawgrant

@Suite("Keys on the command line")
final class KeyArgumentTests {
    private let directory = NSTemporaryDirectory() + "clawgrant-keys-\(UUID().uuidString)"

    init() throws { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    @Test("A public key is taken as a did:key, as PEM and as a key set")
    func publicKeys() throws {
        let key = try KeyGenerator.generate(purpose: .receipt)
        let pem = "\(directory)/key.pub"
        let set = "\(directory)/jwks.json"
        try key.writePublicKey(to: pem)
        let keys = AcceptedKeys(signing: [key.publicKey])
        try Data(JSONWriter.bytes(JWKS.document(keys, now: Timestamp(seconds: 0)))).write(
            to: URL(fileURLWithPath: set))
        #expect(try KeyArguments.publicKeys(key.publicKey.did) == [key.publicKey])
        #expect(try KeyArguments.publicKeys(pem) == [key.publicKey])
        #expect(try KeyArguments.publicKeys(set) == [key.publicKey])
        #expect(throws: CommandFailure.self) { try KeyArguments.publicKeys("did:key:z6MkNot") }
        #expect(throws: CommandFailure.self) { try KeyArguments.publicKeys("\(directory)/nowhere") }
    }

    @Test("A signer is read from a private key file")
    func signers() throws {
        let key = try KeyGenerator.generate(purpose: .envelope)
        try key.writePrivateKey(to: "\(directory)/key.pem")
        #expect(try KeyArguments.signer("\(directory)/key.pem").publicKey == key.publicKey)
    }

    @Test("A delivery key opens what is sealed to its public half, and is never overwritten")
    func deliveryKeys() throws {
        let path = "\(directory)/job.jwk"
        let publicKey = try KeyArguments.makeDeliveryKey(path)
        let secret = try #require(SealingSecret(bytes: [UInt8](repeating: 7, count: 32)))
        let jwe = try SealedToken.seal(BearerToken("a.b.c"), to: publicKey, ephemeralSecret: secret)
        let opened = try SealedToken.open(jwe, privateKey: try KeyArguments.deliveryKey(path))
        #expect(opened.token.exposed == "a.b.c")
        #expect(try KeyArguments.deliveryPublicKey(path) == publicKey)
        #expect(try KeyArguments.deliveryPublicKey(Base64URL.encode(publicKey)) == publicKey)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(throws: CommandFailure.self) { try KeyArguments.makeDeliveryKey(path) }
    }

    @Test("A file that is no delivery key is refused with what makes one")
    func wrongDeliveryKeys() throws {
        let path = "\(directory)/wrong.jwk"
        try NewPrivateFile.write(Array(#"{"kty":"OKP","crv":"Ed25519","d":"AAAA"}"#.utf8), to: path)
        let error = #expect(throws: CommandFailure.self) { try KeyArguments.deliveryKey(path) }
        #expect(error?.message.contains("--generate-delivery-key") == true)
    }
}
