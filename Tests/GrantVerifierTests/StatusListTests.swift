import ClawWire
import GrantVerifier
import TestSupport
import Testing

struct StatusListTests {
    @Test func aTokensPlaceFollowsFromTheTokenAlone() throws {
        let expiry = Timestamp(seconds: 1_772_370_000)
        let hash = Digest(hashing: "token")
        let place = StatusPlace(token: hash, expiry: expiry)
        #expect(place.list == 1_772_370_000 / 3_600)
        // The first eight bytes of SHA-256 over the context line and the hash in hexadecimal, by 2^24.
        let own = Digest(hashing: "clawgrant-status-place-v1\n\(hash.hex)").hex
        let number = try #require(UInt64(own.prefix(16), radix: 16))
        #expect(place.index == Int(number % (1 << 24)))
        #expect(StatusPlace(token: hash, expiry: expiry.adding(seconds: 599)) == place)
        #expect(StatusPlace(token: hash, expiry: expiry.adding(seconds: 3_600)).list == place.list + 1)
        #expect(StatusPlace.spreadList(at: Timestamp(seconds: -1)) == -1)
        #expect(StatusPlace.uri(base: "https://s.example/l", list: 7) == "https://s.example/l/7")
        let places = Set((0..<1_000).map { StatusPlace(token: Digest(hashing: "\($0)"), expiry: expiry).index })
        #expect(places.count > 990)
    }

    private static let uri = "https://issuer.harborline.example/status/0"

    private func code(_ body: () throws -> Void) -> StatusListError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? StatusListError)?.code
        }
    }

    // MARK: The list

    @Test func statusesArePackedFromTheLowestBits() throws {
        var one = StatusList(count: 16)
        for index in [0, 3, 4, 5, 7, 8, 9, 13, 15] { try one.set(.invalid, at: index) }
        #expect(one.bytes == [0xB9, 0xA3])
        var two = StatusList(count: 12, width: .two)
        for (index, status) in [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3].enumerated() {
            try two.set(StatusList.Status(rawValue: UInt8(status)), at: index)
        }
        #expect(two.bytes == [0xC9, 0x44, 0xF9])
        var four = StatusList(count: 3, width: .four)
        try four.set(StatusList.Status(rawValue: 0xA), at: 1)
        try four.set(StatusList.Status(rawValue: 0xF), at: 2)
        #expect(four.bytes == [0xA0, 0x0F])
        var eight = StatusList(count: 2, width: .eight)
        try eight.set(StatusList.Status(rawValue: 0xFE), at: 1)
        #expect(eight.bytes == [0x00, 0xFE])
    }

    /// Compressed by another implementation of ZLIB's interface.
    @Test(arguments: [
        (StatusList.Width.one, 512, [412: 1], "eNpjYCAZCCBzAAEQABE"),
        (.two, 1_000, [0: 1, 1: 2, 2: 3, 999: 1], "eNqzZBihwAEAOOQAeg"),
        (.four, 100, [3: 9, 99: 15], "eNpjmMBAGvgAAByyAYE"),
        (.eight, 20, [0: 255, 19: 1], "eNr7z4ABGAEUAQEB"),
    ])
    func listsAreReadWhoeverCompressedThem(
        _ width: StatusList.Width, _ count: Int, _ statuses: [Int: UInt8], _ encoded: String
    ) throws {
        let list = try StatusList(encoded: encoded, width: width)
        #expect(list.count >= count)
        for index in 0..<list.count {
            #expect(try list.status(at: index).rawValue == statuses[index] ?? 0)
        }
        #expect(try StatusList(encoded: try list.encoded(), width: width) == list)
    }

    @Test func theListsOfTheDraftAreRead() throws {
        let one = try #require(Hex.decode("78dadbb918000217015d"))
        #expect(try StatusList(encoded: Base64URL.encode(one), width: .one).bytes == [0xB9, 0xA3])
        let two = try #require(Hex.decode("78da3be9f2130003df0207"))
        #expect(try StatusList(encoded: Base64URL.encode(two), width: .two).bytes == [0xC9, 0x44, 0xF9])
    }

    @Test(arguments: StatusList.Width.allCases)
    func whatIsSetIsReadBack(_ width: StatusList.Width) throws {
        var random = SeededGenerator(seed: UInt64(width.rawValue))
        for _ in 0..<20 {
            let count = Int.random(in: 1...400, using: &random)
            var list = StatusList(count: count, width: width)
            var model = [UInt8](repeating: 0, count: count)
            for _ in 0..<count {
                let index = Int.random(in: 0..<count, using: &random)
                model[index] = UInt8.random(in: 0...width.maximum, using: &random)
                try list.set(StatusList.Status(rawValue: model[index]), at: index)
            }
            let read = try StatusList(encoded: try list.encoded(), width: width)
            for index in 0..<count { #expect(try read.status(at: index).rawValue == model[index]) }
        }
    }

    @Test func anIndexOutsideIsNeverValid() {
        var list = StatusList(count: 10)
        for index in [-1, 10, 15, Int.max, Int.min] {
            #expect(code { _ = try list.status(at: index) } == .outOfRange)
            #expect(code { try list.set(.invalid, at: index) } == .outOfRange)
        }
        #expect(code { try list.set(.suspended, at: 0) } == .statusTooWide)
        #expect(StatusList(count: 0).bytes.isEmpty)
        #expect(code { _ = try StatusList(count: 0).status(at: 0) } == .outOfRange)
    }

    @Test func bombsAndScrapsAreRefused() throws {
        let large = try StatusList(count: 1 << 24).encoded()
        #expect(large.utf8.count < 4_096)
        #expect(code { _ = try StatusList(encoded: large, width: .one, maximumBytes: 1 << 20) } == .tooLarge)
        #expect(try StatusList(encoded: large, width: .one).count == 1 << 24)
        #expect(code { _ = try StatusList(count: 1 << 26).encoded() } == .tooLarge)
        let good = try #require(Base64URL.decode("eNpjYCAZCCBzAAEQABE"))
        func read(_ bytes: [UInt8]) -> StatusListError.Code? {
            code { _ = try StatusList(encoded: Base64URL.encode(bytes), width: .one, maximumBytes: 4_096) }
        }
        #expect(read(good) == nil)
        #expect(read(good + [0]) == .compression)
        #expect(read(Array(good.dropLast())) != nil)
        #expect(read([]) != nil)
        #expect(read([1, 2, 3]) == .compression)
        #expect(code { _ = try StatusList(encoded: "a+b/", width: .one) } == .malformed)
        var random = SeededGenerator(seed: 9)
        for _ in 0..<300 {
            var bytes = good
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            _ = read(bytes)
        }
    }

    // MARK: Places

    @Test func aPlaceFollowsFromTheNumberAlone() throws {
        #expect(StatusPlace(number: 0) == StatusPlace(number: 0))
        let size = StatusPlace.standardListSize
        #expect(StatusPlace(number: 0)?.index == 0)
        #expect(StatusPlace(number: Int64(size) - 1)?.list == 0)
        #expect(StatusPlace(number: Int64(size))?.list == 1)
        #expect(StatusPlace(number: Int64(size))?.index == 0)
        #expect(StatusPlace(number: -1) == nil)
        #expect(StatusPlace(number: 1, listSize: 0) == nil)
        var random = SeededGenerator(seed: 1)
        for _ in 0..<500 {
            let number = Int64.random(in: 0...Int64.max, using: &random)
            let listSize = Int.random(in: 1...10_000, using: &random)
            let place = try #require(StatusPlace(number: number, listSize: listSize))
            #expect(place.list * Int64(listSize) + Int64(place.index) == number)
            #expect((0..<listSize).contains(place.index))
        }
    }

    // MARK: The signed list

    private func token(
        issuedAt: Timestamp = Samples.noon, expiresAt: Timestamp? = Samples.noon.adding(seconds: 600),
        timeToLive: Int64? = 30
    ) throws -> StatusListToken {
        var list = StatusList(count: 512)
        try list.set(.invalid, at: 412)
        return StatusListToken(
            uri: Self.uri, issuer: "https://issuer.harborline.example", issuedAt: issuedAt, expiresAt: expiresAt,
            timeToLive: timeToLive, list: list)
    }

    private func verify(
        _ text: String, uri: String = uri, at now: Timestamp = Samples.noon
    ) throws -> StatusListToken {
        try StatusListToken(verifying: text, uri: uri, keys: Samples.keys, now: now)
    }

    /// Made with another implementation of Ed25519 and of ZLIB's interface.
    private static let vector =
        "eyJhbGciOiJFZERTQSIsInR5cCI6InN0YXR1c2xpc3Qrand0Iiwia2lkIjoiY2U3NzU2Yzc0YTNlNzE3ZCJ9.eyJ"
        + "pc3MiOiJodHRwczovL2lzc3Vlci5oYXJib3JsaW5lLmV4YW1wbGUiLCJzdWIiOiJodHRwczovL2lzc3Vlci5oYXJ"
        + "ib3JsaW5lLmV4YW1wbGUvc3RhdHVzLzAiLCJpYXQiOjE3NzIzNjY0MDAsImV4cCI6MTc3MjM2NzAwMCwidHRsIjo"
        + "zMCwic3RhdHVzX2xpc3QiOnsiYml0cyI6MSwibHN0IjoiZU5wallDQVpDQ0J6QUFFUUFCRSJ9fQ.6cOFnJWMDifB"
        + "mwc0Q8GVfgv36195jbRpgXK26U3JCctQGnieXYGr5yZZmB97mojEDGQUGIh9rZJszrGt-il9AQ"

    @Test func aListThatOthersSignedIsRead() throws {
        #expect(try verify(Self.vector) == (try token()))
        #expect(try verify(Self.vector).list.status(at: 412) == .invalid)
    }

    @Test func signedListsAreReadBack() throws {
        for expiry in [nil, Samples.noon.adding(seconds: 600)] {
            for timeToLive in [nil, Int64(30)] {
                let token = try token(expiresAt: expiry, timeToLive: timeToLive)
                #expect(try verify(try token.signed(by: Samples.issuer)) == token)
            }
        }
    }

    @Test func listsGrowOld() throws {
        let text = try token().signed(by: Samples.issuer)
        let end = Samples.noon.adding(seconds: 600)
        #expect(code { _ = try verify(text, at: end) } == .expired)
        #expect(code { _ = try verify(text, at: end.adding(seconds: -1)) } == nil)
        #expect(code { _ = try verify(text, at: Samples.noon.adding(seconds: -61)) } == .issuedInFuture)
        let token = try token()
        #expect(token.isFresh(at: Samples.noon.adding(seconds: 29)))
        #expect(!token.isFresh(at: Samples.noon.adding(seconds: 30)))
        let kept = try self.token(timeToLive: nil)
        #expect(kept.isFresh(at: end.adding(seconds: -1)))
        #expect(!kept.isFresh(at: end))
        #expect(try self.token(expiresAt: nil, timeToLive: nil).isFresh(at: end))
    }

    @Test func listsOfOthersAreRefused() throws {
        let text = try token().signed(by: Samples.issuer)
        #expect(code { _ = try verify(text, uri: Self.uri + "1") } == .subjectMismatch)
        #expect(code { _ = try verify(try token().signed(by: Samples.signer("mallory"))) } == .unknownKey)
        #expect(code { _ = try verify(try token().signed(by: Samples.previousIssuer)) } == nil)
        let late = try token(expiresAt: nil).signed(by: Samples.previousIssuer)
        #expect(code { _ = try verify(late, at: Samples.noon.adding(seconds: 1_801)) } == .unknownKey)
        var segments = text.split(separator: ".").map(String.init)
        segments[2] = Base64URL.encode(try Samples.issuer.sign([1]).bytes)
        #expect(code { _ = try verify(segments.joined(separator: ".")) } == .signatureInvalid)
    }

    @Test func aTokenIsNoListAndAListNoToken() throws {
        let cst = try Samples.mint(Samples.claims())
        #expect(code { _ = try verify(cst.exposed) } == .malformed)
        let list = BearerToken(try token().signed(by: Samples.issuer))
        let verdict = TokenVerifier(policy: Samples.policy).verify(
            list, now: Samples.noon, keys: Samples.keys, state: Samples.state([try Samples.head(0)]))
        #expect(verdict.code == .malformed)
    }

    @Test func otherFormsAreRefused() throws {
        let segments = try token().signed(by: Samples.issuer).split(separator: ".")
        let bytes = try #require(Base64URL.decode(segments[1]))
        let claims = try #require(try JSONReader.parse(bytes).object)
        func code(
            _ header: (inout JSONObject) -> Void = { _ in }, _ payload: (inout JSONObject) -> Void
        ) throws -> StatusListError.Code? {
            var head: JSONObject = [
                "alg": "EdDSA", "typ": "statuslist+jwt", "kid": .string(Samples.issuer.publicKey.kid.rawValue),
            ]
            header(&head)
            var body = claims
            payload(&body)
            let text = try Samples.forge(header: .object(head), payload: .object(body)).exposed
            return self.code { _ = try verify(text) }
        }
        #expect(try code { _ in } == nil)
        #expect(try code({ $0["typ"] = "JWT" }, { _ in }) == .malformed)
        #expect(try code({ $0["crit"] = ["b64"] }, { _ in }) == .malformed)
        #expect(try code({ $0["alg"] = "none" }, { _ in }) == .unsupportedAlgorithm)
        #expect(try code({ $0["kid"] = nil }, { _ in }) == .unknownKey)
        #expect(try code { $0["iat"] = nil } == .malformed)
        #expect(try code { $0["exp"] = "x" } == .malformed)
        #expect(try code { $0["ttl"] = 0 } == .malformed)
        #expect(try code { $0["status_list"] = ["bits": 3, "lst": "eNpjYCAZCCBzAAEQABE"] } == .malformed)
        #expect(try code { $0["status_list"] = ["bits": 1] } == .malformed)
        #expect(try code { $0["status_list"] = ["bits": 1, "lst": "AAAA"] } == .compression)
        for text in ["", "a", "a.b", "a.b.c", "a.b.c.d"] {
            #expect(self.code { _ = try verify(text) } == .malformed)
        }
    }
}
