"""Starts localstripe on a free port and says which, with what it lacks of today's Stripe and we use:

    python local.py

It knows no `automatic_payment_methods` and no `description` of an intent, and no `cancellation_reason`: they are taken off
before it refuses them. And its intents do not say what they have received. Nothing else is changed: forms, ids, states,
errors, refunds and signatures are its authors'.
"""
import socket

from aiohttp import web
from localstripe import resources, server

UNKNOWN = {"automatic_payment_methods", "description", "cancellation_reason"}

read = server.get_post_data


async def get_post_data(request, remove_auth=True):
    data = await read(request, remove_auth)
    if data and request.path.startswith("/v1/payment_intents"):
        data = {name: value for name, value in data.items() if name not in UNKNOWN}
    return data


def amount_received(intent):
    charge = intent.latest_charge
    if charge is None or not charge.captured or charge.status != "succeeded":
        return 0
    # What a partial capture releases is a refund of the charge for it.
    released = [refund.amount for refund in charge.refunds._list if refund.payment_intent is None]
    return charge.amount - sum(released)


server.get_post_data = get_post_data
resources.PaymentIntent.amount_received = property(amount_received)

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
web.run_app(server.app, sock=listener, print=None)
