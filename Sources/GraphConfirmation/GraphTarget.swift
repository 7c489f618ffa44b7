public import ClawWire
public import IssuanceRules

/// Which object of Microsoft Graph an approval stands for.
public struct GraphTarget: Sendable, Hashable {
    /// The collections of schedule requests.
    public enum Collection: Sendable, Hashable {
        /// Roles of the directory.
        case directoryRoles
        /// Memberships and ownerships of groups.
        case groups
    }

    /// The tenant, in lower case.
    public let tenant: String
    /// The request, a GUID in lower case.
    public let requestID: String
    /// Where it is.
    public let collection: Collection

    /// The object behind an approval of Privileged Identity Management.
    ///
    /// - Returns: `nil` for approvals of other systems, for entitlements that Microsoft Graph does not know, and for
    ///   identifiers that are no GUIDs: those go into no address.
    public init?(_ approval: ApprovalID, entitlement: Entitlement.Kind) {
        let parts = approval.rawValue.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, parts[0] == "entra-pim", Self.isGUID(parts[1]), Self.isGUID(parts[2]) else {
            return nil
        }
        switch entitlement {
        case .entraRole: collection = .directoryRoles
        case .group: collection = .groups
        case .azureRole, .accessPackage, .changeRequest, .jsmRequestType, .githubEnvironment: return nil
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
        }
    }

    var request: String {
        switch collection {
        case .directoryRoles: "v1.0/\(root)/roleAssignmentScheduleRequests/\(requestID)"
        case .groups: "v1.0/\(root)/assignmentScheduleRequests/\(requestID)"
        }
    }

    /// Where the approval may be, the usual place first: that of roles is in beta alone, and each version has its own
    /// name
    /// for the steps.
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
        }
    }

    /// The instances of a principal; those of the request's schedule are picked from them.
    func instances(principal: String) -> String {
        let filter = "$filter=principalId%20eq%20'\(principal)'"
        return switch collection {
        case .directoryRoles: "v1.0/\(root)/roleAssignmentScheduleInstances?\(filter)"
        case .groups: "v1.0/\(root)/assignmentScheduleInstances?\(filter)"
        }
    }
}
