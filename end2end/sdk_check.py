"""Drives the sandbox with RingCentral's Python SDK. Run by sdk-check.mjs, which started the sandbox and registered the app.

Usage: sdk_check.py <server> <address for events>. Each line that begins with "ok" is one check.
"""

import sys
import time
import urllib.request
import json

from ringcentral import SDK
from ringcentral.http.api_exception import ApiException

SERVER, ADDRESS = sys.argv[1:]
sdk = SDK("rc-py", "rc-py-secret", SERVER)
platform = sdk.platform()


def control(path, body):
    request = urllib.request.Request(
        f"{SERVER}/sandbox/v1/{path}", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    urllib.request.urlopen(request).read()


def refused(call):
    try:
        call()
    except ApiException as error:
        return error.api_response().response()
    raise AssertionError("it was not refused")


platform.login(jwt="rc-py-jwt")
me = platform.get("/account/~/extension/~").json_dict()
assert me["id"] == 62000003, me
print("ok ringcentral (Python) signs in")

old = platform.auth().access_token()
platform.refresh()
assert platform.auth().access_token() != old
platform.get("/account/~/extension/~")
print("ok ringcentral (Python) refreshes")

team = platform.post("/team-messaging/v1/teams", {"name": "Cyd", "public": False}).json_dict()
posts = f"/team-messaging/v1/chats/{team['id']}/posts"
for number in range(3):
    platform.post(posts, {"text": f"number {number}"})
page = platform.get(posts, {"recordCount": 2}).json_dict()
assert [post["text"] for post in page["records"]] == ["number 2", "number 1"], page
page = platform.get(posts, {"recordCount": 2, "pageToken": page["navigation"]["nextPageToken"]}).json_dict()
assert [post["text"] for post in page["records"]] == ["number 0"], page
post = f"{posts}/{page['records'][0]['id']}"
assert platform.patch(post, {"text": "number nought"}).json_dict()["text"] == "number nought"
platform.delete(post)
assert refused(lambda: platform.get(post)).status_code == 404
print("ok ringcentral (Python) posts, lists, pages, edits and deletes")

wish = {
    "eventFilters": ["/team-messaging/v1/posts"],
    "expiresIn": 900,
    "deliveryMode": {"transportType": "WebHook", "address": ADDRESS, "verificationToken": "rc-py-check"},
}
made = platform.post("/subscription", wish).json_dict()
assert made["status"] == "Active" and made["expiresIn"] == 900, made
assert platform.post(f"/subscription/{made['id']}/renew").json_dict()["id"] == made["id"]
platform.post(posts, {"text": "from Python"})
print("ok ringcentral (Python) subscribes with a handshake, renews, and posts what its caller hears")

control("faults", {"on": "post", "fault": "status", "status": 429, "retry_after": 1})
limited = refused(lambda: platform.post(posts, {"text": "too many"}))
assert limited.status_code == 429 and limited.headers["Retry-After"] == "1", limited.headers
time.sleep(1.1)
platform.post(posts, {"text": "again"})
print("ok ringcentral (Python) hits the limit and recovers")

platform.logout()
print("ok ringcentral (Python) signs out")
