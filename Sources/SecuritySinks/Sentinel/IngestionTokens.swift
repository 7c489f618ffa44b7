import ClawWire
import Foundation
import GrantWorker
import GraphConfirmation
import Keys

/// Tokens by the client credentials grant (RFC 6749 section 4.4), with a secret or a signed assertion (RFC 7523): one at a
/// time, kept until shortly before its end.
actor IngestionTokens {
    private let sink: String
    private let settings: LogsIngestionSettings
    private let client: CollectorClient
    private var held: (token: Credential, renewAt: ContinuousClock.Instant)?

    init(sink: String, _ settings: LogsIngestionSettings) {
        self.sink = sink
        self.settings = settings
        var connection = settings.connection
        connection.compresses = false
        client = CollectorClient(sink: sink, connection: connection)
    }

    /// A token.
    ///
    /// - Parameter refused: a token that the service did not take; another one is got then.
    func token(refused: Credential? = nil) async throws(SinkFailure) -> Credential {
        if let held, held.token != refused, held.renewAt > .now { return held.token }
        held = nil
        let address = "\(settings.authority)/\(settings.tenant)/oauth2/v2.0/token"
        var form: [(name: String, value: String)] = [
            ("client_id", settings.clientID), ("scope", settings.scope), ("grant_type", "client_credentials"),
        ]
        switch settings.proof {
        case .secret(let file):
            form.append(("client_secret", try await CredentialFile(path: file).read(for: sink).text))
        case .certificate(let files, let algorithm):
            let certificate = try await certificate(files, algorithm)
            form.append(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))
            form.append(("client_assertion", try assertion(certificate, audience: address)))
        }
        let answer = try await client.send(
            CollectorRequest(
                address: address, fields: [("content-type", "application/x-www-form-urlencoded")],
                body: FormText.body(form)),
            what: "asking for a token")
        let value = try? JSONReader.parse(answer.body)
        guard answer.status == 200 else {
            let said = "\(sink): the token endpoint answered \(answer.status)\(codeName(value?["error"]?.string))"
            guard answer.status < 500, answer.status != 429 else {
                throw SinkFailure(.retry(after: answer.retryAfter), said)
            }
            throw SinkFailure(.misconfigured, "\(said); check tenant, client and its secret or certificate")
        }
        guard let text = value?["access_token"]?.string, !text.isEmpty,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), value?["token_type"]?.string?.lowercased() == "bearer"
        else {
            throw SinkFailure(
                .misconfigured, "\(sink): the token endpoint's answer holds no bearer token; check `authority`")
        }
        let life = Duration.seconds(min(max(value?["expires_in"]?.integer ?? 0, 0), 86_400))
        // A token that lives shorter than twice the margin is replaced at half of its life.
        let token = Credential(text: text)
        held = (token, .now + life - min(settings.tokenMargin, life / 2))
        return token
    }

    func close() async { await client.close() }

    private func certificate(
        _ files: CollectorConnection.Certificate, _ algorithm: ClientCertificate.Algorithm
    ) async throws(SinkFailure) -> ClientCertificate {
        let sink = sink
        let result = await offPool { () throws(SinkFailure) in
            do {
                return try ClientCertificate(
                    certificate: String(contentsOfFile: files.certificateFile, encoding: .utf8),
                    key: try SecretFile.load(files.keyFile).textExposed() ?? "", algorithm: algorithm)
            } catch {
                throw SinkFailure(
                    .misconfigured,
                    "\(sink): \(files.certificateFile) and \(files.keyFile) cannot be used (\(error)); give a certificate "
                        + "and its RSA key in PEM, the key with mode 0600")
            }
        }
        return try result.get()
    }

    private func assertion(
        _ certificate: ClientCertificate, audience: String
    ) throws(SinkFailure) -> String {
        do {
            return try certificate.assertion(
                clientID: settings.clientID, audience: audience, identifier: UUID().uuidString.lowercased(),
                at: Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6))
            ).text
        } catch {
            throw SinkFailure(.misconfigured, "\(sink): \(error.detail); check the certificate's key")
        }
    }
}
