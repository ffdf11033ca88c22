"""The identity of a run: a hash of all that its forecast depends on."""

import hashlib
import json
from typing import Any

from pipeline.inputs import Inputs
from pipeline.params import Params
from pipeline.workload import ROLES, Workload

LENGTH = 12  # hex digits: 48 bits, short enough for names, long enough never to meet by chance


def fingerprint(workload: Workload, params: Params, inputs: Inputs) -> str:
    """The run's id: equal content gives an equal id, whatever the order or time of its arrival.

    It covers the workload, the normalised configuration, and key, size and ETag of every input object; also
    the order of uploads where the newest of several rows counts, and the file that lists the items to
    forecast where there is one.
    """
    content: dict[str, Any] = {
        "bucket": workload.bucket,
        "folder": workload.folder,
        "params": params.normalised(),
        "objects": sorted([o.key, o.size, o.etag] for o in inputs.objects),
    }
    if inputs.order_matters:
        content["order"] = [inputs.upload_order(role) for role in ROLES]
    if inputs.selector:
        content["selector"] = sorted([o.key, o.size, o.etag] for o in inputs.selector)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:LENGTH]
