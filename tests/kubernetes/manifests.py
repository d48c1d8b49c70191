# SPDX-License-Identifier: Apache-2.0
"""manifests.py BIN FOLDER - what no schema knows of FOLDER/farm.yaml, the farm as it was rendered, with its sources in
FOLDER/kubernetes: that names refer to something, that pods are confined, that all there is to set is in one file, and that the real
programs do with these arguments what the manifests expect of them."""
import base64
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import yaml

BIN, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
OBJECTS = [document for document in yaml.safe_load_all((FOLDER / "farm.yaml").read_text()) if document]
PATIENCE_S = 60


def fail(text):
    sys.exit(f"deploy/kubernetes: {text}")


def named(kind, name):
    found = [o for o in OBJECTS if o["kind"] == kind and o["metadata"]["name"] == name]
    if len(found) != 1:
        fail(f"{len(found)} objects {kind}/{name}")
    return found[0]


def pods():
    """Name and template of all that makes pods."""
    return [(f"{o['kind']}/{o['metadata']['name']}", o, o["spec"]["template"]) for o in OBJECTS if o["kind"] in ("StatefulSet", "DaemonSet")]


def fits(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


def containers(template):
    return template["spec"].get("initContainers", []) + template["spec"]["containers"]


def keys_of(volume):
    """The files that a volume has from the beginning; None where the pod writes them."""
    if "secret" in volume:
        return set(named("Secret", volume["secret"]["secretName"])["data"])
    if "configMap" in volume:
        return set(named("ConfigMap", volume["configMap"]["name"])["data"])
    return None


def check_volumes(name, owner, template):
    volumes = {volume["name"]: keys_of(volume) for volume in template["spec"]["volumes"]}
    claims = {claim["metadata"]["name"] for claim in owner["spec"].get("volumeClaimTemplates", [])}
    copied = set()
    for container in containers(template):
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        words = container.get("args", []) + container.get("command", [])
        unknown = set(mounts.values()) - set(volumes) - claims
        if unknown:
            fail(f"{name}: {container['name']} mounts {unknown}, which the pod does not have")
        if "command" in container:  # copies secrets: what it copies is there afterwards
            copied |= set(re.findall(r"/secret/([\w.]+)", " ".join(words)))
        for path, file in re.findall(r"((?:/[\w-]+)+)/([\w-]+\.[\w]+)", " ".join(words)):
            have = volumes.get(mounts.get(path), None)
            have = copied if path == "/keys" else have
            if have is None or file not in have:
                fail(f"{name}: {container['name']} reads {path}/{file}, which nothing brings there")


def check_ports(name, template):
    for container in template["spec"]["containers"]:
        ports = {port["name"] for port in container.get("ports", [])}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe in container and container[probe]["httpGet"]["port"] not in ports:
                fail(f"{name}: {probe} asks a port that the container does not name")


def check_confined(name, template):
    spec = template["spec"]
    pod = spec["securityContext"]
    if not (pod["runAsNonRoot"] and pod["runAsUser"] > 0 and pod["seccompProfile"]["type"] == "RuntimeDefault"):
        fail(f"{name}: runs as root or without seccomp")
    if spec["automountServiceAccountToken"] is not False or any(spec.get(host) for host in ("hostNetwork", "hostPID", "hostIPC")):
        fail(f"{name}: has a token for Kubernetes, or a part of its host")
    named("ServiceAccount", spec["serviceAccountName"])
    for container in containers(template):
        own = container["securityContext"]
        if own["allowPrivilegeEscalation"] or not own["readOnlyRootFilesystem"] or own["capabilities"] != {"drop": ["ALL"]}:
            fail(f"{name}: {container['name']} may do more than it has to")
        if "memory" not in container["resources"]["limits"] or "cpu" not in container["resources"]["requests"]:
            fail(f"{name}: {container['name']} has no limit of memory, or asks for no processor")
        if not container["image"].startswith("registry.example.org/prfarm/"):
            fail(f"{name}: the image of {container['name']} cannot be set: {container['image']}")


def check_workers():
    """Workers get processors of their own only if they ask for whole ones and for no more than they may have."""
    for name, _, template in pods():
        if template["metadata"]["labels"].get("app.kubernetes.io/component") != "worker":
            continue
        for container in containers(template):
            requests, limits = ({key: value for key, value in container["resources"][what].items() if "/" not in key}
                                for what in ("requests", "limits"))
            if requests != limits or not float(requests["cpu"]).is_integer():
                fail(f"{name}: {container['name']} shares processors with others")
        if "nodeSelector" not in template["spec"]:
            fail(f"{name}: runs on every node")
    gpu = named("StatefulSet", "prfarm-worker-gpu")["spec"]["template"]["spec"]["containers"][0]
    if gpu["resources"]["limits"].get("nvidia.com/gpu") != "1":
        fail("a worker with a GPU asks for none")


def check_services():
    every = {name: template for name, _, template in pods()}
    for service in (o for o in OBJECTS if o["kind"] == "Service"):
        behind = [t for t in every.values() if fits(service["spec"]["selector"], t["metadata"]["labels"])]
        ports = {port["name"] for t in behind for c in t["spec"]["containers"] for port in c.get("ports", [])}
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in ports:
                fail(f"Service/{service['metadata']['name']}: nothing listens at {port['targetPort']}")
    for name, owner, template in pods():
        if not fits(owner["spec"]["selector"]["matchLabels"], template["metadata"]["labels"]):
            fail(f"{name}: does not select its own pods")
        others = [other for other, _, t in pods() if other != name and fits(owner["spec"]["selector"]["matchLabels"], t["metadata"]["labels"])]
        if others:
            fail(f"{name}: selects the pods of {others}")
        if owner["kind"] == "StatefulSet" and named("Service", owner["spec"]["serviceName"])["spec"]["clusterIP"] != "None":
            fail(f"{name}: its service is not a headless one")


def check_network():
    for policy in (o for o in OBJECTS if o["kind"] == "NetworkPolicy"):
        name = f"NetworkPolicy/{policy['metadata']['name']}"
        chosen = [t for _, _, t in pods() if fits(policy["spec"]["podSelector"]["matchLabels"], t["metadata"]["labels"])]
        if not chosen or set(policy["spec"]["policyTypes"]) != {"Ingress", "Egress"}:
            fail(f"{name}: holds for no pod, or for one direction")
        for rule in policy["spec"].get("egress") or []:
            for peer in rule["to"]:
                wanted = peer.get("podSelector", {}).get("matchLabels")
                if wanted and not any(fits(wanted, t["metadata"]["labels"]) for _, _, t in pods()):
                    fail(f"{name}: lets through to pods that do not exist")
    for _, _, template in pods():
        labels = template["metadata"]["labels"]
        if not any(fits(o["spec"]["podSelector"]["matchLabels"], labels) for o in OBJECTS if o["kind"] == "NetworkPolicy"):
            fail(f"pods with {labels} have no network policy")


def check_settings():
    """What somebody has to decide stands in one file, with a number that the document goes through."""
    sources = FOLDER / "kubernetes"
    settings = (sources / "farm/kustomization.yaml").read_text()
    decisions = ("registry.example.org", "--kind=", "--backend=", "--option=", "nodeSelector", "storageClassName", "keys/")
    for decision in decisions:
        if decision not in settings:
            fail(f"farm/kustomization.yaml does not have {decision}")
        for file in sources.rglob("*.yaml"):
            code = "\n".join(line for line in file.read_text().splitlines() if not line.lstrip().startswith("#"))
            if file.parent.name != "farm" and decision in code.replace("/keys/", ""):
                fail(f"{file.relative_to(sources)} has {decision}, which belongs into farm/kustomization.yaml")
    numbers = re.findall(r"^ *# (\d+)\. ", settings, re.MULTILINE)
    told = re.findall(r"^\| (\d+) \|", pathlib.Path("docs/kubernetes.md").read_text(), re.MULTILINE)
    if numbers != told:
        fail(f"docs/kubernetes.md tells of the settings {told}, farm/kustomization.yaml has {numbers}")


# ---- the real programs ----


def put_secrets(template, folder):
    """Does as the kubelet and the pod's first container do. Returns what paths become."""
    places = {"/secret": folder / "secret", "/keys": folder / "copies", "/var/lib/prfarm": folder / "state", "/etc/prfarm": folder / "etc"}
    for place in places.values():
        place.mkdir(parents=True)
    for volume in template["spec"]["volumes"]:
        at = places["/etc/prfarm" if "configMap" in volume else "/secret"]
        data = named("ConfigMap", volume["configMap"]["name"])["data"] if "configMap" in volume else {}
        secret = named("Secret", volume["secret"]["secretName"])["data"] if "secret" in volume else {}
        for file, text in {**data, **{key: base64.b64decode(value).decode() for key, value in secret.items()}}.items():
            (at / file).write_text(text)
            (at / file).chmod(0o440)

    def here(word):
        return re.sub("|".join(f"{path}(?=[/ ]|$)" for path in places), lambda found: str(places[found.group(0)]), word)

    subprocess.run([here(word) for word in template["spec"]["initContainers"][0]["command"]], check=True)
    return here


def wait_for(what, ask):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.1)
    return fail(f"{what} within {PATIENCE_S} s")


def own_address():
    """An address that is not loopback's, as a pod has one; None on a machine without a network."""
    told = json.loads(subprocess.run(["ip", "-j", "-4", "address"], capture_output=True, check=True).stdout)
    found = [a["local"] for link in told for a in link["addr_info"] if not a["local"].startswith("127.")]
    return found[0] if found else None


def status_of(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


def check_programs():
    template = named("StatefulSet", "prfarm-coordinator")["spec"]["template"]
    container = template["spec"]["containers"][0]
    here = put_secrets(template, FOLDER / "coordinator")
    args = [re.sub(r":77\d\d$", ":*", here(arg)) for arg in container["args"]]  # ports that are free here
    coordinator = subprocess.Popen([f"{BIN}/prfarm-coordinator", *args], stdout=subprocess.PIPE, stderr=open(FOLDER / "coordinator.log", "w"),
                                   encoding="utf-8")
    worker = None
    try:
        ready = coordinator.stdout.readline()
        found = re.search(r"^ready farm=(\S+) http=http://0\.0\.0\.0:(\d+)$", ready)
        if not found:
            fail(f"the coordinator does not start with the manifest's arguments: {(FOLDER / 'coordinator.log').read_text()}")
        address = own_address() or "127.0.0.1"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = container[probe]["httpGet"]["path"]
            if status_of(f"http://{address}:{found.group(2)}{path}") != 200:
                fail(f"the coordinator does not answer {probe}'s {path}, asked without a token as the kubelet asks")
        if status_of(f"http://{address}:{found.group(2)}/metrics") != 401:
            fail("the coordinator tells its figures to who has no token")
        farm = found.group(1).replace("0.0.0.0", "127.0.0.1")
        worker = start_worker(farm)
        keys = FOLDER / "kubernetes/farm/keys"
        boards = [f"{BIN}/prfarm", "boards", "--farm", farm, "--key", str(keys / "me.key"), "--server", str(keys / "coordinator.pub")]
        wait_for("no worker joined", lambda: "node-1" in subprocess.run(boards, capture_output=True, check=True, encoding="utf-8").stdout)
    finally:
        for process in (worker, coordinator):
            if process:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE_S)


def start_worker(farm):
    template = named("DaemonSet", "prfarm-worker")["spec"]["template"]
    container = template["spec"]["containers"][0]
    service = re.search(r"--farm=tcp://([\w-]+):(\d+)", " ".join(container["args"]))
    ports = {port["name"]: port["port"] for port in named("Service", service.group(1))["spec"]["ports"]}
    if [ports[name] for name in ("workers", "clients", "broadcast")] != [int(service.group(2)) + i for i in range(3)]:
        fail(f"workers expect the farm at three ports from {service.group(2)} on, the service has {ports}")
    here = put_secrets(template, FOLDER / "worker")
    args = [here(arg).replace("$(BOARD)", "node-1") for arg in container["args"] if not arg.startswith("--farm=")]
    if "onednn" not in subprocess.run([f"{BIN}/prfarm-worker", "--list-backends"], capture_output=True, check=True, encoding="utf-8").stdout:
        args = [arg.replace("--backend=onednn", "--backend=sim").replace("--option=threads=1", "--option=board=vta") for arg in args]
    return subprocess.Popen([f"{BIN}/prfarm-worker", f"--farm={farm}", *args], stderr=open(FOLDER / "worker.log", "w"))


def main():
    os.umask(0o022)
    for name, owner, template in pods():
        check_volumes(name, owner, template)
        check_ports(name, template)
        check_confined(name, template)
    check_workers()
    check_services()
    check_network()
    check_settings()
    check_programs()
    print(f"deploy/kubernetes: {len(OBJECTS)} objects, {len(pods())} sorts of pods; the coordinator answers its probes, a worker joins it")


main()
