"""moto keeps everything in memory; this takes it out for the vault and puts it back after a start.

S3 goes object by object, so that an upload costs its own bytes only; every other service is one snapshot
of its back ends. Both are complete on disk before the request that changed them is answered, except for
what may as well happen twice or be late (see `LAZY`).
"""

import contextlib
import io
import logging
import pickle
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import cloudpickle
from moto import backends
from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, S3Backend, s3_backends

from local.vault import StoredContent, Vault, Version

log = logging.getLogger("aws")

ACCOUNT = "000000000000"
PARTITION = "aws"

# What a request to a service can change elsewhere: notifications, subscriptions, rules.
EFFECTS = {"s3": ("sqs", "sns", "events"), "sns": ("sqs",), "events": ("sqs", "sns"), "cloudwatch": ("sns",)}

# Operations whose loss in a kill does no harm: a message that was received is visible again a little earlier.
# They are saved within LAZY_S. Metrics are here because their snapshot grows with every run.
LAZY = ("ReceiveMessage", "ChangeMessageVisibility", "PutMetricData", "PutLogEvents")
LAZY_S = 0.5

# These keep nothing worth keeping, or nothing that can be copied.
FORGOTTEN = ("moto_api", "instance_metadata", "ssm")

# A snapshot fails when another thread changes a collection meanwhile; so many tries are made.
TRIES = 20

_LOCKS = (type(threading.Lock()), type(threading.RLock()), threading.Condition, threading.Event)


_etag_of_moto: Any = vars(FakeKey)["etag"].fget


def _etag(key: Any) -> Any:
    """moto's ETag of an object, whose bytes it reads without a look whether another thread is reading them.

    Two that read one file turn its position back and forth; an upload could be kept without its bytes.
    """
    if key._etag is not None:
        return _etag_of_moto(key)
    with key.lock:
        return _etag_of_moto(key)


FakeKey.etag = property(_etag)  # type: ignore[method-assign, assignment]


class _Pickler(cloudpickle.Pickler):
    """Pickles locks as new, free ones: who held them does not survive a process."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, _LOCKS):
            return _maker(obj), ()
        return super().reducer_override(obj)


def _maker(lock: Any) -> Any:
    if isinstance(lock, threading.Condition | threading.Event):
        return type(lock)
    return threading.RLock if isinstance(lock, type(threading.RLock())) else threading.Lock


def _dump(what: Any) -> bytes:
    for attempt in range(1, TRIES + 1):
        buffer = io.BytesIO()
        try:
            _Pickler(buffer).dump(what)
            return buffer.getvalue()
        except RuntimeError as error:  # "dictionary changed size during iteration"
            if attempt == TRIES or "during iteration" not in str(error):
                raise
    raise AssertionError("unreachable")


class Memory:
    """moto's state, kept in step with a vault."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.seen: set[str] = set()  # services that have been used, now or before
        self.saved: dict[str, bytes] = {}
        self.known: dict[tuple[str, str], list[str]] = {}  # (bucket, key) → version ids on disk
        self._late: set[str] = set()
        self._late_lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._save_late, name="snapshots", daemon=True)

    @property
    def s3(self) -> S3Backend:
        return s3_backends[ACCOUNT][PARTITION]

    def start(self) -> None:
        """Load everything, then keep up with late changes in the background."""
        self._load_services()
        self._load_objects()
        self._thread.start()

    def close(self) -> None:
        """Save what is still to be saved."""
        self._closing.set()
        self._wake.set()
        self._thread.join()
        self._save(self._take_late())
        self.vault.close()

    # -- after a request

    def changed(self, service: str, operation: str | None) -> None:
        """A request other than to S3 may have changed `service`: save it, now or soon."""
        self.seen.add(service)
        touched = {service, *EFFECTS.get(service, ())} & self.seen
        if operation in LAZY or (operation or "").removesuffix("Batch") in LAZY:
            with self._late_lock:
                self._late |= touched
            self._wake.set()
        else:
            self._save(touched)

    def objects_changed(self, bucket: str | None, key: str | None) -> None:
        """An S3 request may have changed this key; without a key: anything of the bucket, or of all."""
        names = [bucket] if bucket else [*self.s3.buckets, *{name for name, _ in self.known}]
        for name in dict.fromkeys(names):
            self._keep_bucket(name, [key] if bucket and key else None)

    def drop_copied_checksum(self, bucket: str | None, key: str | None) -> None:
        """Let a fresh copy have no checksum: moto gives it that of its source, which for an object that was
        uploaded in parts is one of the parts' checksums, and SDKs find the whole object to be corrupt."""
        copy = self.s3.buckets[bucket].keys.get(key) if bucket in self.s3.buckets and key else None
        if isinstance(copy, FakeKey):
            copy.checksum_value = copy.checksum_algorithm = None

    def _keep_bucket(self, name: str, keys: list[str] | None) -> None:
        bucket = self.s3.buckets.get(name)
        if bucket is not None:
            for key in keys if keys is not None else self._differing(bucket):
                self._stage(bucket, key)
        old: list[str] = []
        with self.vault.transaction():
            bucket = self.s3.buckets.get(name)
            if bucket is None:
                self._drop(name, old)
            else:
                for key in keys if keys is not None else self._differing(bucket):
                    old += self._keep(bucket, key)
                if keys is None:
                    self.vault.put_bucket(name, _dump(self._bucket_state(bucket)))
            for service in set(EFFECTS["s3"]) & self.seen:
                self._keep_service(service)
        self.vault.forget(old)

    def _drop(self, name: str, old: list[str]) -> None:
        self.vault.drop_bucket(name)
        for _, key in [each for each in self.known if each[0] == name]:
            old += self.vault.put_versions(name, key, [])
            del self.known[name, key]

    def _differing(self, bucket: FakeBucket) -> list[str]:
        """Keys whose versions in memory are not those on disk."""
        now = {key: [str(v.version_id) for v in versions] for key, versions in bucket.keys.lists()}
        gone = [key for name, key in self.known if name == bucket.name and key not in now]
        return [key for key, ids in now.items() if self.known.get((bucket.name, key)) != ids] + gone

    def _stage(self, bucket: FakeBucket, key: str) -> None:
        """Write the bytes of new versions before anybody is kept waiting by a transaction."""
        for version in list(bucket.keys.getlist(key, [])):
            if isinstance(version, FakeKey) and not isinstance(version._value_buffer, StoredContent):
                with contextlib.suppress(ValueError):  # closed: overwritten meanwhile
                    _ = version.etag  # computed from the bytes, and then remembered
                    with version.lock:
                        version._value_buffer.seek(0)
                        version.__dict__["staged"] = self.vault.stage(version._value_buffer)

    def _keep(self, bucket: FakeBucket, key: str) -> list[str]:
        """Bring the versions of a key on disk in line with memory, inside a transaction."""
        versions = list(bucket.keys.getlist(key, []))
        if any(_unstaged(version) for version in versions):
            self._stage(bucket, key)  # another request wrote it since
        for version in versions:
            self._adopt(version)
        old = self.vault.put_versions(bucket.name, key, [self._version(each) for each in versions])
        if versions:
            self.known[bucket.name, key] = [str(each.version_id) for each in versions]
        else:
            self.known.pop((bucket.name, key), None)
        return old

    def _adopt(self, version: Any) -> None:
        staged = version.__dict__.pop("staged", None)
        if staged is not None:
            with version.lock:
                version._value_buffer.close()
                version._value_buffer = self.vault.adopt(*staged)
        if isinstance(version, FakeKey) and version.multipart is not None:
            version.multipart.dispose()  # the parts; the object has the bytes
            version.multipart = None

    def _version(self, version: Any) -> Version:
        state = dict(version.__dict__)
        if isinstance(version, FakeDeleteMarker):
            state.pop("key")
            return Version(None, _dump({"marker": state}))
        content = state.pop("_value_buffer")
        for name in ("lock", "multipart"):
            state.pop(name)
        tags = self.s3.tagger.get_tag_dict_for_resource(version.arn)
        return Version(content.digest, _dump({"key": state, "tags": tags}))

    def _bucket_state(self, bucket: FakeBucket) -> dict[str, Any]:
        state = {name: v for name, v in bucket.__dict__.items() if name not in ("keys", "multiparts")}
        return {"bucket": state, "tags": self.s3.tagger.get_tag_dict_for_resource(bucket.arn)}

    # -- services

    def _save(self, services: Iterable[str]) -> None:
        wanted = [service for service in services if service not in FORGOTTEN and service != "s3"]
        if wanted:
            with self.vault.transaction():
                for service in wanted:
                    self._keep_service(service)

    def _keep_service(self, service: str) -> None:
        try:
            state = _dump(_backends_of(service))
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            log.warning("the state of %s cannot be kept over a restart: %s", service, error)
            self.seen.discard(service)
            return
        if self.saved.get(service) != state:
            self.vault.put_service(service, state)
            self.saved[service] = state

    def _save_late(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(LAZY_S)
            self._wake.clear()
            late = self._take_late()
            try:
                self._save(late)
            except Exception:
                log.exception("could not save a snapshot; the next change tries again")
                with self._late_lock:
                    self._late |= late

    def _take_late(self) -> set[str]:
        with self._late_lock:
            late, self._late = self._late, set()
        return late

    # -- at start

    def _load_services(self) -> None:
        for service, blob in self.vault.services().items():
            for account, regions in pickle.loads(blob).items():
                for region, state in regions.items():
                    backends.get_backend(service)[account][region].__dict__.update(state)  # type: ignore[call-overload]
            self.seen.add(service)
            self.saved[service] = blob

    def _load_objects(self) -> None:
        for name, blob in self.vault.buckets().items():
            saved = pickle.loads(blob)
            bucket = self.s3.create_bucket(name, saved["bucket"]["region_name"])
            bucket.__dict__.update(saved["bucket"])
            self._tag(bucket.arn, saved["tags"])
            for key, version in self.vault.versions(name):
                self._load_version(bucket, key, version)

    def _load_version(self, bucket: FakeBucket, key: str, version: Version) -> None:
        saved = pickle.loads(version.state)
        earlier = bucket.keys.get(key)
        loaded: Any
        if version.digest is None:
            loaded = FakeDeleteMarker.__new__(FakeDeleteMarker)
            loaded.__dict__.update(saved["marker"], key=earlier)
        else:
            loaded = FakeKey.__new__(FakeKey)
            content = self.vault.stored(version.digest)
            loaded.__dict__.update(saved["key"], _value_buffer=content, lock=threading.Lock(), multipart=None)
            self._tag(loaded.arn, saved["tags"])
        bucket.keys[key] = loaded
        self.known.setdefault((bucket.name, key), []).append(str(loaded.version_id))

    def _tag(self, arn: str, tags: dict[str, str]) -> None:
        if tags:
            self.s3.tagger.tag_resource(arn, self.s3.tagger.convert_dict_to_tags_input(tags))


def _unstaged(version: Any) -> bool:
    return (
        isinstance(version, FakeKey)
        and not isinstance(version._value_buffer, StoredContent)
        and "staged" not in version.__dict__
    )


def _backends_of(service: str) -> dict[str, dict[str, dict[str, Any]]]:
    """{account: {region: attributes of the back end}} of a service, without creating any."""
    return {
        account: {region: dict(backend.__dict__) for region, backend in _items(regions)}
        for account, regions in _items(backends.get_backend(service))  # type: ignore[call-overload]
    }


def _items(mapping: Any) -> Iterator[tuple[str, Any]]:
    """What is there; moto's own lookups would create a back end for every region asked for."""
    yield from list(dict.items(mapping))
