"""Google's token endpoint: exchanges what a service account has signed for access tokens.

The account's key is made for the test; `credentials` is the file Google would hand out for it.
"""
from __future__ import annotations

import base64
import json
import time
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

import provider_clouds
from upstream import Upstream

EMAIL = "gateway@wire-project.iam.example.org"
KEY_ID = "0123456789abcdef"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def unpadded(text: str) -> bytes:
    assert "=" not in text, "base64url in a JWT has no padding"
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class TokenEndpoint(Upstream):
    """Answers every request as a token endpoint; `lifetime` is that of the next token."""

    def __init__(self, **options):
        super().__init__(**options)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.lifetime = 3600
        self.issued = 0
        self.answer = self.grant  # what it does; a test may put another script here

    @property
    def url(self) -> str:
        return self.base_url.removesuffix("/v1") + "/token"

    @property
    def private_key(self) -> str:
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()).decode()

    def credentials(self, **changes) -> str:
        return json.dumps({
            "type": "service_account", "project_id": "wire-project", "private_key_id": KEY_ID,
            "private_key": self.private_key, "client_email": EMAIL, "client_id": "1",
            "token_uri": self.url, "universe_domain": "googleapis.com"} | changes, indent=2)

    def script_for(self, request):
        return self.answer

    def problem_of(self, request) -> str | None:
        """What a token endpoint looks at before it hands anything out."""
        form = urllib.parse.parse_qs(request.body.decode())
        if request.target != "/token" or form.get("grant_type") != [GRANT]:
            return "unsupported_grant_type"
        head, claims, mark = form["assertion"][0].split(".")
        try:
            self.key.public_key().verify(unpadded(mark), f"{head}.{claims}".encode(),
                                         padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return "invalid_grant"
        now, told = time.time(), json.loads(unpadded(claims))
        fits = json.loads(unpadded(head)) == {"alg": "RS256", "typ": "JWT", "kid": KEY_ID} and \
            {k: told[k] for k in ("iss", "scope", "aud")} == \
            {"iss": EMAIL, "scope": SCOPE, "aud": self.url} and \
            now - 60 < told["iat"] <= now + 1 and 0 < told["exp"] - told["iat"] <= 3600
        return None if fits else "invalid_request"

    async def grant(self, x) -> None:
        problem = self.problem_of(x.request)
        if problem is not None:
            await x.reply(400, json.dumps({"error": problem}).encode())
            return
        self.issued += 1
        await x.reply(200, json.dumps({
            "access_token": f"{provider_clouds.TOKEN}{self.issued}", "expires_in": self.lifetime,
            "token_type": "Bearer"}).encode())
