import ClawWire
package import FuzzTargets
import GraphConfirmation
import IssuerAPI

extension FuzzTarget {
    /// Every target over what is built on servers, clients and the ledger: those of `FuzzTargets` start faster.
    package static let surface = http + services

    /// What comes with a request to the HTTP surface.
    private static let http = [
        FuzzTarget("form") { bytes throws(FuzzFinding) in
            guard let pairs = IssuerReaders.pairs(bytes) else { return }
            try require(pairs.count <= 64, "\(pairs.count) pairs")
            let size = pairs.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
            try require(size <= bytes.count, "a form decodes to more than it is")
            let again = IssuerReaders.pairs(FormText.body(pairs))
            let isSame = again?.elementsEqual(pairs) { left, right in
                ExactText.equal(left.name, right.name) && ExactText.equal(left.value, right.value)
            }
            try require(isSame == true, "a form is not read as it was written")
        },
        FuzzTarget("credential") { bytes throws(FuzzFinding) in
            let field = String(decoding: bytes, as: UTF8.self)
            guard let credential = IssuerReaders.credential(field) else { return }
            try require(
                (16...1_024).contains(credential.token.utf8.count)
                    && credential.token.utf8.allSatisfy { (0x21...0x7E).contains($0) },
                "a token that no field can hold")
            guard credential.name == nil else { return }
            let again = IssuerReaders.credential("Bearer \(credential.token)")
            try require(again?.token == credential.token, "a token is read as another")
        },
        FuzzTarget("proof-target") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let target = IssuerReaders.target(text) else { return }
            try require(IssuerReaders.target(target) == target, "\(target) has another spelling")
            try require(
                !target.split(separator: "/", omittingEmptySubsequences: false).dropFirst(3).contains {
                    $0 == "." || $0 == ".."
                },
                "a dot segment is left in \(target)")
        },
        FuzzTarget("dpop") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            try require(DPoP.read([text]) == nil, "a proof is taken that nobody signed")
            // Header and claims of the input, signed by a key of ours: what is taken says what the request is.
            var pieces = Pieces(bytes)
            let (header, claims) = (pieces.bytes(), pieces.bytes())
            guard let compact = DPoP.signed(header, claims), let proof = DPoP.read([compact]) else { return }
            let object = (try? JSONReader.parse(claims))?.object
            let head = (try? JSONReader.parse(header))?.object
            try require(
                head?["typ"] == "dpop+jwt" && head?["alg"] == "EdDSA" && head?["crit"] == nil,
                "a proof with another header is taken")
            try require(object?["htm"] == "POST", "a proof for another method is taken")
            try require(
                object?["htu"]?.string.flatMap { IssuerReaders.target($0) } == DPoP.target,
                "a proof for another address is taken")
            try require(abs(proof.issuedAt.seconds - Fixed.now.seconds) <= 60, "a proof of another time is taken")
            try require((1...256).contains(proof.identifier.utf8.count), "a proof with no fit identifier is taken")
            try require(DPoP.read([compact, compact]) == nil, "two proofs are taken for one request")
            try require(DPoP.read([compact], method: "GET") == nil, "a proof is taken for another method")
            try require(DPoP.read([compact], target: DPoP.target + "x") == nil, "a proof is taken for another address")
            try require(
                DPoP.read([compact], now: Fixed.now.adding(seconds: 121)) == nil, "a proof is taken for another time")
        },
        FuzzTarget("dpop-nonce") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            try require(
                !IssuerReaders.accepts(nonce: text, key: DPoP.nonceKey, now: Fixed.now)
                    || text == IssuerReaders.nonce(key: DPoP.nonceKey, now: Fixed.now),
                "a nonce is taken that was not made here")
        },
        FuzzTarget("http-path") { bytes throws(FuzzFinding) in
            let path = String(decoding: bytes, as: UTF8.self)
            let templates = ["/v1/grants/{request}/claim", "/v1/status/{list}", "/v1/{kind}/{name}", "/healthz"]
            guard let parameters = IssuerReaders.parameters(of: path, under: templates) else { return }
            for (name, value) in parameters {
                try require(!value.isEmpty, "\(name) is empty")
                try require(value.utf8.count <= path.utf8.count, "\(name) is longer than the path")
            }
        },
        FuzzTarget("token-parameters") { bytes throws(FuzzFinding) in
            for type in ["application/x-www-form-urlencoded", "application/json; charset=utf-8"] {
                guard let token = IssuerReaders.token(contentType: type, body: bytes) else { continue }
                try require(token.utf8.count <= bytes.count, "a token is longer than the body")
            }
        },
    ]
}

/// A request that proofs are made for.
private enum DPoP {
    static let target = "https://grants.harborline.example/v1/grants/req-30417/claim"
    static let nonceKey = Array("a key that the fuzzer does not know".utf8)

    static func read(
        _ values: [String], method: String = "POST", target: String = target, now: Timestamp = Fixed.now
    ) -> IssuerReaders.Proof? {
        IssuerReaders.proof(values, method: method, target: target, now: now, tolerance: .seconds(60))
    }

    /// A proof of a header and claims. The header's key is ours where it has one.
    static func signed(_ header: [UInt8], _ claims: [UInt8]) -> String? {
        guard var object = (try? JSONReader.parse(header))?.object else { return nil }
        if object["jwk"] != nil {
            object["jwk"] = [
                "crv": "Ed25519", "kty": "OKP", "x": .string(Base64URL.encode(Fixed.signer.publicKey.bytes)),
            ]
        }
        let input = Base64URL.encode(JSONWriter.bytes(.object(object))) + "." + Base64URL.encode(claims)
        return (try? Fixed.signer.sign(Array(input.utf8))).map { "\(input).\($0.b64u)" }
    }
}
