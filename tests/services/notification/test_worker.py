"""The real `run_worker` delivers, on every channel that works."""

from __future__ import annotations

import pytest

from backups.models import Channel, OutboxMessage
from tests import factories
from tests.factories import People
from tests.services.notification import receivers
from tests.services.notification.conftest import SECRET
from tests.services.notification.receivers import http_receiver, smtp_receiver
from tests.support.worker import running_worker, wait_until


@pytest.mark.acceptance
def test_the_worker_delivers_while_one_channel_hangs(own_database, tmp_path, settings):
    people = People()
    assert people.bob
    with smtp_receiver() as mail, http_receiver(receivers.hang) as dead, http_receiver() as alive:
        settings.SLACK_WEBHOOK_URL, settings.WEBHOOK_URL = dead.address, alive.address
        request = factories.pending(people.alice, factories.branch())
        environment = {
            "EMAIL_URL": f"smtp://127.0.0.1:{mail.port}",
            "SLACK_WEBHOOK_URL": dead.address,
            "WEBHOOK_URL": alive.address,
            "WEBHOOK_SECRET": SECRET,
            # Slack hangs until the test lets it go, so the others can't have waited for it.
            "NOTIFICATION_POST_SECONDS": "50",
        }
        with running_worker(own_database, tmp_path, **environment) as worker:
            # The monitor, which runs as well, has news of its own.
            others = OutboxMessage.objects.exclude(channel=Channel.SLACK).filter(request=request)
            wait_until(lambda: not others.filter(sent_at__isnull=True).exists(), "mail and webhook are delivered")
            assert dead.connected.wait(30)
            dead.over.set()
            slack = OutboxMessage.objects.filter(channel=Channel.SLACK)
            wait_until(lambda: slack.filter(last_problem__gt="").exists(), "the failure on Slack is noted")
        assert sum(request.reference in text for text in mail.mails) == 1
        assert sum(request.reference.encode() in post.body for post in alive.posts) == 1
        assert "SECRET-CANARY" not in worker.log
