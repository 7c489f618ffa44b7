import ClawWire
import GrantVerifier
import Testing

struct IssuerKeysTests {
    private let keys = [Samples.issuer.publicKey, Samples.previousIssuer.publicKey, Samples.signer("next").publicKey]

    private func jwks(_ keys: [Ed25519PublicKey]) -> [UInt8] {
        JSONWriter.bytes(["keys": .array(keys.map { JWKS.jwk($0) })], order: .asGiven)
    }

    private func contract(_ change: (inout JSONObject) -> Void = { _ in }) throws -> [UInt8] {
        let roster = try #require(KeyRoster(Samples.keys, overlapSeconds: 3_600, now: Samples.noon))
        var object = try #require(RotationContract(roster: roster).json.object)
        change(&object)
        return JSONWriter.bytes(.object(object), order: .asGiven)
    }

    private func failure(_ jwks: [UInt8], _ contract: [UInt8]?) -> IssuerKeysError? {
        do {
            _ = try AcceptedKeys(jwks: jwks, rotationContract: contract)
            return nil
        } catch {
            return error
        }
    }

    @Test func theContractSaysWhichKeysCountAndUntilWhen() throws {
        let accepted = try AcceptedKeys(jwks: jwks(keys.reversed()), rotationContract: try contract())
        #expect(accepted == Samples.keys)
        #expect(accepted.active?.kid == Samples.issuer.publicKey.kid)
        #expect(accepted.accepted(at: Samples.noon.adding(seconds: 1_801)).count == 1)
    }

    @Test func withoutAContractTheWholeSetCounts() throws {
        let accepted = try AcceptedKeys(jwks: jwks(keys), rotationContract: nil)
        #expect(accepted.entries.map(\.key) == keys)
    }

    @Test func aSigningKeyWithAnEndEnds() throws {
        let kid = JSONValue.string(Samples.issuer.publicKey.kid.rawValue)
        let bytes = try contract {
            $0["accepted_kids"] = [kid]
            $0["verify_only_kids"] = []
            $0["expiring_kids"] = [["kid": kid, "not_after_unix": .integer(Samples.noon.seconds)]]
        }
        let accepted = try AcceptedKeys(jwks: jwks(keys), rotationContract: bytes)
        #expect(accepted.accepted(at: Samples.noon).count == 1)
        #expect(accepted.accepted(at: Samples.noon.adding(seconds: 1)).isEmpty)
    }

    @Test func documentsOfTwoSidesOfARotationAreFetchedAgain() throws {
        let found = failure(jwks([Samples.issuer.publicKey]), try contract())
        #expect(found?.code == .keyMissing)
        #expect(found?.isRetriable == true)
    }

    @Test func contradictionsAndOtherDocumentsAreRefused() throws {
        #expect(failure([], nil)?.code == .unreadable)
        #expect(failure(jwks(keys), Array("{}".utf8))?.code == .unreadable)
        #expect(failure(jwks(keys), try contract { $0["contract_version"] = "1" })?.code == .unreadable)
        #expect(failure(jwks(keys), try contract { $0["verify_only_kids"] = [] })?.code == .contradictory)
        #expect(failure(jwks(keys), try contract { $0["active_kid"] = "0000000000000000" })?.code == .contradictory)
        let stranger = try contract { $0["expiring_kids"] = [["kid": "0000000000000000", "not_after_unix": 1]] }
        #expect(failure(jwks(keys), stranger)?.code == .contradictory)
    }
}
