public import ClawWire
public import IssuanceRules

/// Which object of Microsoft Graph an approval stands for.
public struct GraphTarget: Sendable, Hashable {
    /// The collections of requests.
    public enum Collection: Sendable, Hashable {
        /// Roles of the directory.
        case directoryRoles
        /// Memberships and ownerships of groups.
        case groups
        /// Access packages of entitlement management.
        case packages
    }

    /// The tenant, in lower case.
    public let tenant: String
    /// The request, a GUID in lower case.
    public let requestID: String
    /// Where it is.
    public let collection: Collection

    /// The object behind an approval of Privileged Identity Management or of entitlement management.
    ///
    /// - Returns: `nil` for approvals of other systems, for entitlements that Microsoft Graph does not know, and for
    ///   identifiers that are no GUIDs: those go into no address.
    public init?(_ approval: ApprovalID, entitlement: Entitlement.Kind) {
        let parts = approval.rawValue.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, Self.isGUID(parts[1]), Self.isGUID(parts[2]) else { return nil }
        switch (parts[0], entitlement) {
        case ("entra-pim", .entraRole): collection = .directoryRoles
        case ("entra-pim", .group): collection = .groups
        case ("entra-em", .accessPackage): collection = .packages
        case (_, .entraRole), (_, .group), (_, .accessPackage), (_, .azureRole), (_, .changeRequest),
            (_, .jsmRequestType), (_, .githubEnvironment):
            return nil
        }
        tenant = parts[1]
        requestID = parts[2]
    }

    static func isGUID(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == 36 else { return false }
        return bytes.indices.allSatisfy { index in
            [8, 13, 18, 23].contains(index)
                ? bytes[index] == UInt8(ascii: "-")
                : (0x30...0x39).contains(bytes[index]) || (0x61...0x66).contains(bytes[index])
        }
    }

    private var root: String {
        switch collection {
        case .directoryRoles: "roleManagement/directory"
        case .groups: "identityGovernance/privilegedAccess/group"
        case .packages: "identityGovernance/entitlementManagement"
        }
    }

    var request: String {
        switch collection {
        case .directoryRoles: "v1.0/\(root)/roleAssignmentScheduleRequests/\(requestID)"
        case .groups: "v1.0/\(root)/assignmentScheduleRequests/\(requestID)"
        case .packages: "v1.0/\(root)/assignmentRequests/\(requestID)?$expand=requestor,accessPackage,assignment"
        }
    }

    /// The name of the request's approval: entitlement management has none but the request's.
    func approvalID(of request: JSONValue) -> String? {
        switch collection {
        case .directoryRoles, .groups: Self.guid(request["approvalId"])
        case .packages: requestID
        }
    }

    private static func guid(_ value: JSONValue?) -> String? {
        guard let id = value?.string?.lowercased(), isGUID(id) else { return nil }
        return id
    }

    /// Where the approval may be, the usual place first: that of roles is in beta alone, and each version has its own
    /// name for the
    /// steps.
    func approvals(_ id: String) -> [String] {
        switch collection {
        case .directoryRoles:
            [
                "beta/\(root)/roleAssignmentApprovals/\(id)?$expand=steps",
                "v1.0/\(root)/roleAssignmentApprovals/\(id)?$expand=stages",
            ]
        case .groups:
            [
                "v1.0/\(root)/assignmentApprovals/\(id)?$expand=stages",
                "beta/\(root)/assignmentApprovals/\(id)?$expand=steps",
            ]
        case .packages:
            [
                "v1.0/\(root)/accessPackageAssignmentApprovals/\(id)?$expand=stages",
                "beta/\(root)/accessPackageAssignmentApprovals/\(id)?$expand=steps",
            ]
        }
    }

    /// Where what a request led to is found.
    enum Holding {
        /// A list of its principal's instances; those of the request's schedule are picked from them.
        case instances(String)
        /// The assignment itself.
        case assignment(String)
    }

    /// What a request led to; `nil` while it led to nothing.
    func holding(of request: JSONValue) -> Holding? {
        switch collection {
        case .directoryRoles:
            instances(of: request).map { .instances("v1.0/\(root)/roleAssignmentScheduleInstances?\($0)") }
        case .groups: instances(of: request).map { .instances("v1.0/\(root)/assignmentScheduleInstances?\($0)") }
        case .packages:
            Self.guid(request["assignment"]?["id"]).map {
                .assignment("v1.0/\(root)/assignments/\($0)?$expand=target,accessPackage")
            }
        }
    }

    private func instances(of request: JSONValue) -> String? {
        Self.guid(request["principalId"]).map { "$filter=principalId%20eq%20'\($0)'" }
    }
}
