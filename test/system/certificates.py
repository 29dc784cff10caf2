"""Certificates made with openssl: an authority, and what it signs and revokes."""
import pathlib
import ssl
import subprocess
import time

# A database of what was issued, so that some of it can be revoked.
AUTHORITY = """
[ca]
default_ca = fleet
[fleet]
database = {directory}/index
serial = {directory}/serial
new_certs_dir = {directory}
certificate = {directory}/ca.crt
private_key = {directory}/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
unique_subject = no
policy = any
[any]
organizationName = optional
organizationalUnitName = optional
commonName = supplied
"""


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done


def moment(seconds):
    """So far from now, as openssl wants it."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))


class Authority:
    """ca.crt and what it signs, as NAME.crt and NAME.key in one directory."""

    def __init__(self, directory, name="Test Authority"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.crt = str(self.directory / "ca.crt")
        (self.directory / "index").write_text("")
        (self.directory / "serial").write_text("1000\n")
        self.config = self.directory / "ca.cnf"
        self.config.write_text(AUTHORITY.format(directory=self.directory))
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", f"/CN={name}", "-days", 30, "-keyout", self.directory / "ca.key",
                "-out", self.crt)

    def issue(self, name, common_name, organization=None, alternative=None, holds=None):
        """Returns the paths of certificate and key. organization: may go on with /OU=UNIT; holds:
        from and until when, in seconds from now."""
        base = self.directory / name
        subject = (f"/O={organization}" if organization else "") + f"/CN={common_name}"
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", subject, "-keyout", f"{base}.key", "-out", f"{base}.csr")
        extra = []
        if alternative:
            pathlib.Path(f"{base}.ext").write_text(f"subjectAltName={alternative}\n")
            extra = ["-extfile", f"{base}.ext"]
        if holds:
            extra += ["-startdate", moment(holds[0]), "-enddate", moment(holds[1])]
        openssl("ca", "-batch", "-notext", "-config", self.config, "-in", f"{base}.csr", "-out",
                f"{base}.crt", *extra)
        return f"{base}.crt", f"{base}.key"

    def revoke(self, certificate):
        openssl("ca", "-config", self.config, "-revoke", certificate)

    def revocations(self, holds=None):
        """Makes the list anew. holds: as issue() has it."""
        path = str(self.directory / "ca.crl")
        extra = []
        if holds:
            extra = ["-crl_lastupdate", moment(holds[0]), "-crl_nextupdate", moment(holds[1])]
        openssl("ca", "-config", self.config, "-gencrl", "-out", path, *extra)
        return path

    def context(self, certificate=None, version=None):
        """A client that trusts this authority; certificate: what issue() returned."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.crt)
        if certificate:
            context.load_cert_chain(*certificate)
        if version:
            context.minimum_version = context.maximum_version = version
        return context
