/* Settings of a run that this program does not know: they are kept, and shown. */
#ifndef KL_DB_OTHER_SETTING_H
#define KL_DB_OTHER_SETTING_H

#define KL_OTHER_SETTINGS_MAX 1000

/* The fingerprint that a run had before it was upgraded, by which people may still name it. */
#define KL_FINGERPRINT_BEFORE "fingerprint_before"

struct kl_other_setting {
    char key[64], value[256];
};

#endif
