#!/usr/bin/env python3
"""Checks the files of deploy/ without a container engine or a cluster. Prints one line a finding; exits with 1 if any.

- Kubernetes: every document against the OpenAPI schemas of two versions, strictly; and the rules of docs/deployment.md
  that no schema knows: who a container runs as, what it may do, where its secrets come from, who may talk to whom.
- Kustomize: every file that is named exists, every patch has its target.
- Compose: against the Compose specification's schema, and the same rules.
- Container file: hadolint, and rules of our own: pinned bases, no root, no remote additions, no secrets.

It needs the packages of scripts/deployment-tools.txt and ruamel.yaml and jsonschema of scripts/conformance-tools.txt.
Other folders than deploy/ can be given, as the tests do; each finding then begins with its folder.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from jsonschema import Draft7Validator, Draft202012Validator, RefResolver
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(os.environ.get("CLAWGRANT_DEPLOYMENT_TOOLS", ROOT / ".build/tools/deployment"))
# The oldest and the newest Kubernetes that the manifests are for.
KUBERNETES = ["v1.29.0", "v1.36.0"]
# Kinds of operators, whose schemas no package here holds.
UNKNOWN_KINDS = {"KafkaTopic", "KafkaUser", "PodMonitor", "Kustomization", "Component"}

findings = []


def find(place, what):
    findings.append(f"{place}: {what}")


def documents(path):
    reader = YAML(typ="safe", pure=True)
    reader.allow_duplicate_keys = False
    try:
        return [document for document in reader.load_all(path.read_text("utf-8")) if document is not None]
    except Exception as error:  # ruamel has many kinds
        find(path, f"does not read as YAML: {str(error).splitlines()[0]}")
        return []


# --- Kubernetes ------------------------------------------------------------------------------------------------------


class Schemas:
    def __init__(self, version):
        self.version = version
        self.folder = TOOLS / f"kubernetes_validate/kubernetes-json-schema/{version}-local-strict"
        self.cache = {}
        definitions = json.loads((self.folder / "_definitions.json").read_text("utf-8"))
        # Nothing is fetched: the one document that schemas refer to lies beside them.
        self.store = {"https://kubernetes.io/api/_definitions.json": definitions}

    def validator(self, document):
        group, _, version = document["apiVersion"].rpartition("/")
        name = "-".join(filter(None, [document["kind"].lower(), group.split(".")[0], version])) + ".json"
        if name not in self.cache:
            path = self.folder / name
            if not path.is_file():
                return None
            schema = json.loads(path.read_text("utf-8"))
            self.cache[name] = Draft7Validator(schema, resolver=RefResolver.from_schema(schema, store=self.store))
        return self.cache[name]


def where(path, document):
    return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path} {document.get('kind')}/{document.get('metadata', {}).get('name')}"


def pod_of(document):
    spec = document.get("spec", {})
    if document["kind"] in ("Deployment", "Job", "StatefulSet", "DaemonSet"):
        return spec.get("template", {}).get("spec")
    return None


def check_pod(place, pod):
    security = pod.get("securityContext", {})
    if security.get("runAsNonRoot") is not True or not isinstance(security.get("runAsUser"), int) or security["runAsUser"] < 1000:
        find(place, "the pod must set runAsNonRoot and a runAsUser of 1000 or more")
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        find(place, "the pod must set seccompProfile RuntimeDefault")
    if pod.get("automountServiceAccountToken") is not False:
        find(place, "the pod must not mount a service account's token")
    if not pod.get("serviceAccountName"):
        find(place, "the pod must have a service account of its own")
    if pod.get("enableServiceLinks") is not False:
        find(place, "the pod must not get variables for the namespace's services")
    for flag in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(flag):
            find(place, f"the pod must not set {flag}")
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    for name, volume in volumes.items():
        if "hostPath" in volume:
            find(place, f"volume {name} is a path of the host")
        if "secret" in volume and volume["secret"].get("defaultMode", 0o644) & 0o007:
            find(place, f"volume {name}: others can read the secret")
    for container in pod.get("initContainers", []) + pod.get("containers", []):
        check_container(f"{place} container {container['name']}", container, volumes)


def check_container(place, container, volumes):
    security = container.get("securityContext", {})
    if security.get("readOnlyRootFilesystem") is not True:
        find(place, "must set readOnlyRootFilesystem")
    if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
        find(place, "must not allow privileges")
    capabilities = security.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        find(place, "must drop ALL capabilities and add none")
    resources = container.get("resources", {})
    for needed in ("requests.cpu", "requests.memory", "limits.memory"):
        group, name = needed.split(".")
        if name not in resources.get(group, {}):
            find(place, f"must set resources.{needed}")
    check_image(place, container.get("image", ""))
    for variable in container.get("env", []):
        if "secretKeyRef" in variable.get("valueFrom", {}):
            find(place, f"{variable['name']} is a secret in a variable; mount it as a file")
        check_value(place, variable["name"], str(variable.get("value", "")))
    if container.get("envFrom"):
        find(place, "takes variables in bulk")
    for mount in container.get("volumeMounts", []):
        if mount["name"] not in volumes:
            find(place, f"mounts {mount['name']}, which is no volume")
        volume = volumes.get(mount["name"], {})
        if ("secret" in volume or "configMap" in volume) and not mount.get("readOnly"):
            find(place, f"mounts {mount['name']} writable")
    paths = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
    for path in paths:
        for other in paths:
            if path != other and path.startswith(other.rstrip("/") + "/"):
                find(place, f"{path} lies within {other}, which is read-only when it is mounted")


def check_image(place, image):
    name, _, digest = image.partition("@")
    if digest:
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            find(place, f"image {image}: no digest")
        return
    tag = name.rpartition("/")[2].partition(":")[2]
    if not re.search(r"\d+\.\d+", tag):
        find(place, f"image {image} is not named by a full version or a digest")


def check_value(place, name, value):
    if re.search(r"PASSWORD|SECRET|TOKEN|PRIVATE", name) and not re.search(r"_FILE$", name) and value:
        find(place, f"{name} looks like a secret in the open")
    if re.search(r"-----BEGIN|password=", value):
        find(place, f"{name} holds a secret")


def check_kubernetes(folder, schemas):
    everything = []
    for path in sorted(folder.rglob("*.yaml")):
        if path.name in ("clawgrant.yaml", "rules.yaml"):
            continue
        for document in documents(path):
            if not isinstance(document, dict) or "kind" not in document or "apiVersion" not in document:
                find(path, "is no Kubernetes document")
                continue
            place = where(path, document)
            if document["kind"] in UNKNOWN_KINDS:
                if document["kind"] in ("Kustomization", "Component"):
                    check_kustomization(path, document)
                continue
            is_patch = path.parent.parent.name == "overlays" and path.name not in ("namespace.yaml",)
            if not is_patch:
                everything.append((place, document))
                for versions in schemas:
                    validator = versions.validator(document)
                    if validator is None:
                        find(place, f"{document['apiVersion']} has no such kind in {versions.version}")
                        continue
                    for error in validator.iter_errors(document):
                        find(place, f"{versions.version}: {'.'.join(map(str, error.absolute_path))}: {error.message[:200]}")
                pod = pod_of(document)
                if pod is not None:
                    check_pod(place, pod)
            if document["kind"] == "Secret":
                find(place, "secrets are made by the site's secret store, not here")
    check_together(folder, everything)
    check_metrics_callers(folder)


def check_metrics_callers(folder):
    """Whoever monitors the pods must be let in: by a caller with the scope, and under the name of the certificate."""
    for path in sorted((folder / "overlays").glob("*/kustomization.yaml")):
        (document, *_) = documents(path) or [{}]
        if not any(Path(name).name == "prometheus" for name in document.get("components", [])):
            continue
        (settings, *_) = documents(path.parent / "clawgrant.yaml") or [{}]
        callers = (settings.get("http") or {}).get("callers") or {}
        if not any("metrics" in caller.get("scopes", []) and caller.get("token_hashes_file") for caller in callers.values()):
            find(path, "has a PodMonitor and no caller with the scope metrics: every scrape would be answered 401")
        patches = [document for other in sorted(path.parent.glob("*.yaml")) for document in documents(other)]
        issuer = re.search(r"CLAWGRANT_HTTP_ISSUER.*?https://([^\"'\s/:}]+)", (path.parent / "issuer.yaml").read_text("utf-8"))
        names = {endpoint["tlsConfig"]["serverName"] for patch in patches if patch.get("kind") == "PodMonitor"
                 for endpoint in patch["spec"]["podMetricsEndpoints"]}
        if issuer and names != {issuer[1]}:
            find(path, f"the PodMonitor does not expect the certificate of {issuer[1]}")


def check_kustomization(path, document):
    base = path.parent
    named = document.get("resources", []) + document.get("components", [])
    named += [patch["path"] for patch in document.get("patches", []) if "path" in patch]
    for generator in document.get("configMapGenerator", []):
        named += generator.get("files", [])
    for name in named:
        if not (base / name).exists():
            find(path, f"names {name}, which is not there")
        elif (base / name).is_dir() and not (base / name / "kustomization.yaml").is_file():
            find(path, f"names {name}, which has no kustomization.yaml")
    if document["kind"] == "Component" or base.name == "base":
        listed = set(document.get("resources", []))
        for other in base.glob("*.yaml"):
            if other.name != "kustomization.yaml" and other.name not in listed:
                find(path, f"leaves out {other.name}")


def labels_match(selector, labels):
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for term in selector.get("matchExpressions") or []:
        if term["operator"] == "In" and labels.get(term["key"]) not in term["values"]:
            return False
    return True


def check_together(folder, everything):
    """What no document shows alone."""
    def kinds(kind):
        return [document for _, document in everything if document["kind"] == kind]

    base = f"{folder}/base"
    policies = kinds("NetworkPolicy")
    if not any(policy["spec"].get("podSelector") == {} and set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
               and not policy["spec"].get("ingress") and not policy["spec"].get("egress") for policy in policies):
        find(base, "there is no policy that denies everything by default")
    for policy in policies:
        for rule in policy["spec"].get("egress", []):
            if not rule.get("to") or not rule.get("ports"):
                find(base, f"{policy['metadata']['name']} lets out to anywhere, or by any port")
        for rule in policy["spec"].get("ingress", []):
            if not rule.get("from") or not rule.get("ports"):
                find(base, f"{policy['metadata']['name']} lets in from anywhere, or by any port")
    for kind in ("Deployment", "Job"):
        for document in kinds(kind):
            labels = document["spec"]["template"]["metadata"]["labels"]
            name = document["metadata"]["name"]
            needed = {5432, 53} | ({9093, 8480} if kind == "Deployment" else set())
            open_ports = {port["port"] for policy in policies if labels_match(policy["spec"]["podSelector"], labels)
                          for rule in policy["spec"].get("egress", []) + policy["spec"].get("ingress", [])
                          for port in rule["ports"]}
            for port in sorted(needed - open_ports):
                find(base, f"no policy lets {name} use port {port}")
    for deployment in kinds("Deployment"):
        template = deployment["spec"]["template"]
        labels, pod = template["metadata"]["labels"], template["spec"]
        if not labels_match(deployment["spec"]["selector"], labels):
            find(base, "the deployment does not select its own pods")
        container = pod["containers"][0]
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        for probe, wanted in (("startupProbe", "/live"), ("livenessProbe", "/live"), ("readinessProbe", "/ready")):
            request = container.get(probe, {}).get("httpGet", {})
            if request.get("path") != wanted or request.get("port") not in ports:
                find(base, f"{probe} must ask for {wanted} on a named port of the container")
        if pod.get("terminationGracePeriodSeconds", 30) < 30:
            find(base, "the worker has less time to leave than its drain takes")
        if not pod.get("topologySpreadConstraints") or not pod.get("affinity", {}).get("podAntiAffinity"):
            find(base, "workers are not spread over zones and nodes")
        for kind in ("PodDisruptionBudget", "Service"):
            if not any(labels_match(selector if "matchLabels" in selector else {"matchLabels": selector}, labels)
                       for selector in (document["spec"]["selector"] for document in kinds(kind))):
                find(base, f"no {kind} selects the workers")
        for scaler in kinds("HorizontalPodAutoscaler"):
            spec = scaler["spec"]
            if spec["scaleTargetRef"]["name"] != deployment["metadata"]["name"]:
                find(base, "the autoscaler has another target")
            if [metric["type"] for metric in spec["metrics"]] != ["External"]:
                find(base, "the autoscaler must go by lag")
            if spec.get("behavior", {}).get("scaleDown", {}).get("stabilizationWindowSeconds", 0) < 300:
                find(base, "the autoscaler takes workers away too soon")


# --- Compose ---------------------------------------------------------------------------------------------------------


def check_compose(path):
    loaded = documents(path)
    if len(loaded) != 1:
        return
    compose = loaded[0]
    schema = json.loads((TOOLS / "check_jsonschema/builtin_schemas/vendor/compose-spec.json").read_text("utf-8"))
    for error in Draft202012Validator(schema).iter_errors(compose):
        find(path, f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}")
    secrets, volumes, networks = (set(compose.get(group, {})) for group in ("secrets", "volumes", "networks"))
    for name, service in compose["services"].items():
        place = f"{path} service {name}"
        image = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", service.get("image", ""))
        check_image(place, image)
        if service.get("cap_drop") != ["ALL"]:
            find(place, "must drop ALL capabilities")
        if service.get("privileged") or service.get("network_mode") == "host":
            find(place, "must not be privileged or on the host's network")
        if "no-new-privileges:true" not in service.get("security_opt", []):
            find(place, "must not gain privileges")
        if not service.get("mem_limit"):
            find(place, "must have a limit of memory")
        if "build" in service and (service.get("read_only") is not True or not service.get("user")):
            find(place, "must run as a user of its own on a read-only root")
        for variable, value in (service.get("environment") or {}).items():
            check_value(place, variable, str(value))
        for port in service.get("ports", []):
            host = port.get("host_ip") if isinstance(port, dict) else port.rpartition(":")[0].rpartition(":")[0]
            if host not in ("127.0.0.1", "[::1]", "::1"):
                find(place, f"publishes {port} to more than loopback")
        if service.get("command") == ["run"]:
            check_compose_worker(place, path, service, compose)
        for secret in service.get("secrets", []):
            if (secret if isinstance(secret, str) else secret["source"]) not in secrets:
                find(place, f"names the secret {secret}, which is not there")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0] if isinstance(volume, str) else volume.get("source", "")
            if source.startswith("."):
                # ./prepare makes the folder of policies.
                if source != "./policies" and not (path.parent / source).exists():
                    find(place, f"mounts {source}, which is not there")
            elif source not in volumes:
                find(place, f"mounts the volume {source}, which is not there")
            if "docker.sock" in source:
                find(place, "mounts the engine's socket")
        for network in service.get("networks", []):
            if network not in networks:
                find(place, f"is in the network {network}, which is not there")
        for other, condition in (service.get("depends_on") or {}).items():
            needed = compose["services"].get(other)
            if needed is None:
                find(place, f"depends on {other}, which is not there")
            elif condition["condition"] == "service_healthy" and "healthcheck" not in needed:
                find(place, f"waits for the health of {other}, which has no check")


def check_compose_worker(place, path, service, compose):
    """A worker serves its surface on a port of loopback, and is healthy while it says that it is ready."""
    if service.get("healthcheck", {}).get("test") != ["CMD", "/usr/bin/clawgrant", "ready"]:
        find(place, "must be healthy by clawgrant ready")
    (settings, *_) = documents(path.parent / "clawgrant.yaml") or [{}]
    http = settings.get("http") or {}
    port = (http.get("listen") or {}).get("port")
    if not http.get("issuer") or not (http.get("tls") or {}).get("certificate_file"):
        find(place, "has no section http with a certificate, so nobody can ask it")
    if f"127.0.0.1:{port}:{port}" not in service.get("ports", []):
        find(place, "does not publish the port of its surface on loopback")
    for network in service.get("networks", []):
        settings = compose["networks"].get(network) or {}
        closed = (settings.get("driver_opts") or {}).get("com.docker.network.bridge.enable_ip_masquerade") == "false"
        if not settings.get("internal") and not closed:
            find(place, f"can leave by the network {network}")


# --- Container file --------------------------------------------------------------------------------------------------


def check_container_file(path):
    text = path.read_text("utf-8")
    lines = re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.M)).splitlines()
    words = [line.split(None, 1) for line in lines if line.strip()]
    arguments = dict(value.partition("=")[::2] for key, value in words if key == "ARG")
    stages, user = [], None
    for key, value in words:
        if key == "FROM":
            image = re.sub(r"\$\{(\w+)\}", lambda name: arguments.get(name.group(1), ""), value.split()[0])
            if image != "scratch" and image not in stages:
                check_image(str(path), image)
            stages += [value.split()[-1]] if " AS " in value.upper() else []
            user = None
        elif key == "ADD":
            find(path, "ADD fetches and unpacks: use COPY")
        elif key == "USER":
            user = value
        elif key == "HEALTHCHECK":
            find(path, "health is the orchestrator's to ask")
        elif key in ("ENV", "ARG") and re.search(r"(PASSWORD|SECRET|TOKEN|PRIVATE|CREDENTIAL)\w*=", value):
            find(path, f"{key} {value.split('=')[0]} looks like a secret in a layer")
        elif key == "RUN" and re.search(r"\b(curl|wget)\b.*\bhttps?:|\|\s*(ba)?sh\b", value):
            find(path, f"fetches and runs: {value[:80]}")
        elif key == "COPY" and re.search(r"\.(pem|key|p12)\b|secrets?/", value):
            find(path, f"copies a secret: {value[:80]}")
    if user is None or not re.fullmatch(r"[1-9]\d{3,}(:[1-9]\d{3,})?", user):
        find(path, "the image must run as a user given by a number of 1000 or more")
    if not any(key == "LABEL" and "org.opencontainers.image.title" in value and "org.opencontainers.image.version" in value
               for key, value in words):
        find(path, "has no OCI labels")
    entry = [value for key, value in words if key == "ENTRYPOINT"]
    if not entry or not entry[-1].startswith("["):
        find(path, "ENTRYPOINT must be a list: a shell would take the signals")
    hadolint = TOOLS / "bin/hadolint"
    ran = subprocess.run([str(hadolint), "--no-color", "--no-fail", str(path)], capture_output=True, text=True)
    if ran.returncode != 0:
        find(path, f"hadolint ended with {ran.returncode}: {ran.stderr.strip()[:200]}")
    for line in ran.stdout.splitlines():
        find(path, f"hadolint {line.rpartition(str(path))[2]}")


def main():
    # Faults that tests plant are found by either version.
    schemas = [Schemas(version) for version in (KUBERNETES[-1:] if sys.argv[1:] else KUBERNETES)]
    found = 0
    for argument in sys.argv[1:] or [None]:
        folder = Path(argument).resolve() if argument else ROOT / "deploy"
        findings.clear()
        check_kubernetes(folder / "kubernetes", schemas)
        check_compose(folder / "compose/compose.yaml")
        check_container_file(folder / "container/Containerfile")
        for line in findings:
            print(f"{argument}: {line}" if argument else line)
        found += len(findings)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
