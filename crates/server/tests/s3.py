"""Storage that speaks S3, by moto, which checks signatures and what a key may do.

Prints two URLs with keys in them, of one bucket: the first may do everything, the second read. Ends with its standard input.
"""

import json
import logging
import sys

import boto3
from moto import settings
from moto.server import ThreadedMotoServer

BUCKET = "xenoboot-test"

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
place = {
    "endpoint_url": f"http://{host}:{port}",
    "region_name": "us-east-1",
    "aws_access_key_id": "nobody",
    "aws_secret_access_key": "nothing",
}
boto3.client("s3", **place).create_bucket(Bucket=BUCKET)
iam = boto3.client("iam", **place)


def user(name, actions):
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    # A secret has slashes, which a URL has not.
    secret = key["SecretAccessKey"].replace("/", "%2F").replace("+", "%2B")
    return f"http://{key['AccessKeyId']}:{secret}@{host}:{port}/{BUCKET}"


urls = user("writer", "s3:*"), user("reader", ["s3:GetObject", "s3:ListBucket"])
# From now on nobody is believed without a signature.
settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
print(*urls, flush=True)
sys.stdin.read()
server.stop()
